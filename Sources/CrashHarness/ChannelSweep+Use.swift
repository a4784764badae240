internal import DurableChannel
internal import LogFormat
internal import SimulatedFileIO

extension ChannelSweep {
    /// The channel goes on: what was found comes again with the mark, producers repeat what they do not know the end of, all
    /// of it can be taken, and more put.
    func use(_ reopened: Reopened, _ story: @autoclosure () -> String) {
        do {
            if let objection = try used(reopened) { fail("\(story()), then used: \(objection)") }
            let taken = reopened.world.disk.allocatedBytes()
            if taken > configuration.capacityBytes! { fail("\(story()), then used: \(taken) bytes on disk") }
        } catch {
            fail("\(story()), then used: \(error)")
        }
    }

    private func used(_ reopened: Reopened) throws -> String? {
        let channel = reopened.channel
        let next = channel.metrics.putEvents + 1
        let held = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
        guard held.events.map(\.sequence.rawValue) == reopened.found.map(\.sequence),
            held.events.allSatisfy({ $0.isRedelivered })
        else { return "after a rollback \(held.events.map { ($0.sequence, $0.isRedelivered) }) came" }
        var left = held.events.count
        held.rollback()
        while left > 0 {
            let count = try channel.take(depth.drainsBy).count
            guard count > 0 else { return "\(left) events are held and not handed out" }
            left -= count
        }
        reopened.world.runtime.runUntilIdle()
        var expected: [Int] = []
        let overflow = channel.metrics.overflow
        if let objection = try repeatPuts(reopened, &expected) { return objection }
        // With `dropOldest` the later ones may have cost the earlier ones.
        let dropped = channel.metrics.overflow - overflow
        expected.removeFirst(min(Int(dropped), expected.count))
        var sequence = next + dropped
        var last = sequence + UInt64(expected.count)
        while sequence < last || !expected.isEmpty {
            let take = try channel.beginTake(maxEvents: 5)
            let tags = take.events.compactMap { tagOf($0, reopened.model).0 }
            guard !tags.isEmpty, tags == Array(expected.prefix(tags.count)),
                take.events[0].sequence.rawValue == sequence
            else { return "of \(expected) from \(sequence) on came \(tags)" }
            expected.removeFirst(tags.count)
            sequence += UInt64(tags.count)
            try take.commit()
        }
        guard try channel.take().isEmpty else { return "more came than was put" }
        for number in 0..<3 {
            // The room of what was taken comes back by itself, and not at once.
            reopened.world.runtime.runUntilIdle()
            let receipt = try channel.put(["new \(number)", "another"])
            guard receipt.sequences == last..<last + 2 else {
                return "new events are \(receipt.sequences), not from \(last)"
            }
            last += 2
            let events = try channel.take(2)
            guard events.texts == ["new \(number)", "another"] else { return "\(events.texts) came" }
        }
        guard channel.isBalanced, channel.metrics.heldEvents == 0 else { return "\(channel.metrics)" }
        try channel.close()
        let lastWorld = reopened.world.afterPowerCut(seed: 78)
        lastWorld.isLastOnItsDisk = true
        let after = try open(lastWorld)
        guard try after.take().isEmpty, after.metrics.putEvents == last - 1, after.isBalanced else {
            return "after a clean end \(after.metrics)"
        }
        return nil
    }

    /// nil when there is no room for it beside those that were repeated before it, and are not taken yet.
    private func repeatPut(
        _ index: Int, _ put: ChannelModel.Put, _ channel: FileChannel
    ) throws(ChannelError) -> PutReceipt? {
        do throws(ChannelError) {
            var transaction = try channel.beginPut(producer: put.stamp)
            for place in 0..<put.count {
                let tag = index * ChannelModel.tagStride + place
                guard try transaction.append(event(tag, bytes: put.bytes)) == .accepted else { return nil }
            }
            return try transaction.commit()
        } catch {
            guard error.code == .full, channel.metrics.heldEvents > 0 else { throw error }
            return nil
        }
    }

    /// Each producer commits its last transaction again: what was there is recognised, what was not is there now. `expected`
    /// gets the tags that are new.
    private func repeatPuts(_ reopened: Reopened, _ expected: inout [Int]) throws -> String? {
        var lastOf: [ProducerID: Int] = [:]
        for (index, put) in reopened.model.puts.enumerated() {
            guard let stamp = put.stamp else { continue }
            if let known = lastOf[stamp.id], reopened.model.puts[known].stamp!.sequence > stamp.sequence { continue }
            lastOf[stamp.id] = index
        }
        for index in lastOf.values.sorted() {
            let put = reopened.model.puts[index]
            for attempt in 0..<2 {
                guard let receipt = try repeatPut(index, put, reopened.channel) else {
                    if attempt == 0 { return nil }
                    break
                }
                let isNew = put.answer != .done && attempt == 0
                guard receipt.isRepeat != isNew, receipt.sequences.count == put.count else {
                    return "put \(index) (\(put.answer)), again: \(receipt)"
                }
                if let base = put.base, put.answer == .done, receipt.sequences.lowerBound != base {
                    return "put \(index) was at \(base), its repetition is answered with \(receipt)"
                }
            }
            if put.answer != .done {
                expected += (0..<put.count).map { index * ChannelModel.tagStride + $0 }
            }
        }
        return nil
    }
}
