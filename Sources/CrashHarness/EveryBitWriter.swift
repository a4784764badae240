package import DurableChannel
package import FileIO
internal import LogFormat

/// What the processes do that make the logs of ``EveryBitSweep``: small lives of a channel, told line by line
/// (``EveryBitPromises/Line``), each thing before it is done and each answer when it is there.
///
/// `say` must not return before the line is where the death of this process cannot take it back.
package struct EveryBitWriter: Sendable {
    package let path: String
    package let fileSystem: any FileSystem
    package let runtime: any Runtime
    package let say: @Sendable (EveryBitPromises.Line) -> Void

    package init(
        path: String, fileSystem: any FileSystem, runtime: any Runtime,
        say: @escaping @Sendable (EveryBitPromises.Line) -> Void
    ) {
        self.path = path
        self.fileSystem = fileSystem
        self.runtime = runtime
        self.say = say
    }

    /// The smallest segments that there are, and a capacity in which a dozen of them find room.
    package static var configuration: ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 304 << 10)
        configuration.segmentBytes = 16 << 10
        // With the segment table of that capacity, and little more: the reserve is made for twice as much.
        configuration.snapshotLimitBytes = 2200
        // Several in one life: records of their own to be damaged.
        configuration.leaseStep = 8
        return configuration
    }

    package func open() throws(ChannelError) -> FileChannel {
        say(.begun)
        return try FileChannel.open(
            at: path, configuration: Self.configuration, fileSystem: fileSystem, runtime: runtime)
    }

    // MARK: One client

    /// The first life: a few puts, and a clean end. The next one has an epoch that it must begin.
    package func firstLife() throws(ChannelError) {
        let channel = try open()
        for number in 0..<4 { try put(number, on: channel) }
        try take(0, 3, on: channel)
        try channel.close()
        say(.closed)
    }

    /// The second life: puts over several segments, takes among them, one rolled back, and one that stays open: `end` is called
    /// while it is.
    package func secondLife(end: (FileChannel) throws(ChannelError) -> Void) throws(ChannelError) {
        let channel = try open()
        for number in 10..<18 { try put(number, on: channel) }
        // From here on the oldest ones are held, so that no segment goes.
        let open = try channel.beginTake(maxEvents: 2)
        say(.given(open.events.map(\.sequence.rawValue)))
        try take(10, 5, dead: 1, on: channel)
        try channel.checkpoint()
        for number in 18..<26 { try put(number, on: channel) }
        let returned = try channel.beginTake(maxEvents: 3)
        say(.given(returned.events.map(\.sequence.rawValue)))
        returned.rollback()
        try take(11, 6, on: channel)
        for number in 26..<31 { try put(number, on: channel) }
        try take(12, 2, on: channel)
        try end(channel)
        open.rollback()
    }

    // MARK: Many clients

    /// A life in which this client puts until somebody kills the process.
    package func keepPutting(_ client: Int, on channel: FileChannel) throws(ChannelError) {
        for number in client * 100..<client * 100 + 100 { try put(number, on: channel) }
    }

    /// A life in which this client takes: all but the first few, which it holds.
    package func keepTaking(_ client: Int, on channel: FileChannel) throws(ChannelError) {
        let open = try channel.beginTake(maxEvents: 2, waitingUpTo: .seconds(10))
        say(.given(open.events.map(\.sequence.rawValue)))
        for number in client * 100..<client * 100 + 100 { try take(number, 3, on: channel) }
        open.rollback()
    }

    // MARK: Transactions

    private func put(_ number: Int, on channel: FileChannel) throws(ChannelError) {
        let (count, bytes) = (1 + number % 3, 20 + number * 37 % 300)
        say(.putting(number, count: count, bytes: bytes))
        var put = try channel.beginPut()
        for place in 0..<count {
            _ = try put.append(EveryBitPromises.event(EveryBitPromises.tag(number, place), bytes: bytes))
        }
        if let bookmark = EveryBitPromises.bookmark(ofPut: number) {
            try put.setBookmark(bookmark.name, bookmark.value)
        }
        say(.put(number, base: try put.commit().sequences.lowerBound))
    }

    private func take(_ number: Int, _ count: Int, dead: Int = 0, on channel: FileChannel) throws(ChannelError) {
        var take = try channel.beginTake(maxEvents: count, waitingUpTo: .seconds(10))
        let events = take.events.map(\.sequence.rawValue)
        say(.given(events))
        for event in take.events.prefix(dead) { try take.deadLetter(event.sequence) }
        let bookmark = EveryBitPromises.bookmark(ofTake: number)
        try take.setBookmark(bookmark.name, bookmark.value)
        say(.taking(number, Array(events.dropFirst(dead)), dead: Array(events.prefix(dead))))
        try take.commit()
        say(.taken(number))
    }
}
