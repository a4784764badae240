/// The channel's part of a snapshot: consumer groups, bookmarks, producers, delivery counts. DESIGN.md 3.9.
public struct ClientState: Equatable, Sendable {
    /// Up to 64 with different names.
    public var groups: [Group]
    /// Up to 4096 with different names; names and values 65536 bytes in all.
    public var bookmarks: [Bookmark]
    /// Up to 4096 with different ids.
    public var producers: [Producer]
    /// Up to 4096, ascending by group, then sequence.
    public var deliveryCounts: [DeliveryCount]

    public init(
        groups: [Group] = [], bookmarks: [Bookmark] = [], producers: [Producer] = [],
        deliveryCounts: [DeliveryCount] = []
    ) {
        self.groups = groups
        self.bookmarks = bookmarks
        self.producers = producers
        self.deliveryCounts = deliveryCounts
    }

    /// The pointers and counts of one consumer group.
    public struct Group: Equatable, Sendable {
        /// 1 to 255 bytes of UTF-8.
        public var name: String
        /// Every sequence below it is acknowledged. From 1 to 2^62.
        public var acknowledgedBelow: EventSequence
        /// Up to 65536 acknowledged ranges above it, ascending, touching neither it nor each other.
        public var acknowledged: [SequenceRange]
        /// Every sequence below it may have been handed out. Up to 2^62.
        public var leaseLimit: EventSequence
        public var taken: UInt64
        public var droppedByOverflow: UInt64
        public var expired: UInt64
        public var deadLettered: UInt64
        public var skipped: UInt64
        public var lost: UInt64

        public init(
            name: String, acknowledgedBelow: EventSequence = EventSequence(1), acknowledged: [SequenceRange] = [],
            leaseLimit: EventSequence = EventSequence(1), taken: UInt64 = 0, droppedByOverflow: UInt64 = 0,
            expired: UInt64 = 0, deadLettered: UInt64 = 0, skipped: UInt64 = 0, lost: UInt64 = 0
        ) {
            self.name = name
            self.acknowledgedBelow = acknowledgedBelow
            self.acknowledged = acknowledged
            self.leaseLimit = leaseLimit
            self.taken = taken
            self.droppedByOverflow = droppedByOverflow
            self.expired = expired
            self.deadLettered = deadLettered
            self.skipped = skipped
            self.lost = lost
        }

        var encodedBytes: Int {
            FormatConstants.aligned(
                ClientStateLayout.groupBytes + acknowledged.count * RangeLayout.byteCount + name.utf8.count)
        }
    }

    /// The last transaction of a producer, so that its repetition is answered with the first receipt.
    public struct Producer: Equatable, Sendable {
        /// Not ``ProducerID/none``.
        public var id: ProducerID
        public var producerSequence: UInt64
        public var firstSequence: EventSequence
        public var eventCount: UInt64
        public var lsn: LSN

        public init(
            id: ProducerID, producerSequence: UInt64, firstSequence: EventSequence, eventCount: UInt64, lsn: LSN
        ) {
            self.id = id
            self.producerSequence = producerSequence
            self.firstSequence = firstSequence
            self.eventCount = eventCount
            self.lsn = lsn
        }
    }

    /// How often an event was handed out and returned.
    public struct DeliveryCount: Equatable, Sendable {
        /// Index in ``ClientState/groups``.
        public var groupIndex: Int
        /// From 1.
        public var sequence: EventSequence
        public var count: UInt64

        public init(groupIndex: Int, sequence: EventSequence, count: UInt64) {
            self.groupIndex = groupIndex
            self.sequence = sequence
            self.count = count
        }
    }
}
