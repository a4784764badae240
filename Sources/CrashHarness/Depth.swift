extension ChannelHarness {
    /// How closely one script is looked at.
    public struct Depth: Sendable {
        /// Moments of each life that are cut off, at random; nil for all of them.
        public var moments: Int?
        /// Of the legal ways to be cut off there so many, at random; nil for all of them, in order.
        public var choices: Int?
        /// Of all legal choices at most so many.
        public var choiceLimit = Int.max
        /// Of all legal choices every so many, beginning with another one at each moment.
        public var choiceStride = 1
        /// Every so many distinct states are also crashed at each operation of recovery.
        public var insideEvery = 16
        /// Of the legal ways to be cut off there, in which a part is lost, at most so many.
        public var insideLimit = 3
        /// At every so many of these operations the process is killed there, too.
        public var killInsideEvery = 4
        /// Every so many are used afterwards: what was found is taken, producers repeat their commits, more is put.
        public var usedEvery = 4
        /// What was found is taken by so many at a time then.
        public var drainsBy = 100_000
        /// Every so many are looked at a second time, after a power cut.
        public var cutAgainEvery = 2
        /// Every so many are opened without their checkpoint, too.
        public var bareEvery = 8
        /// At every so many of the moments that are cut off at random, what is left is also damaged. 0: never.
        public var damageEvery = 0
        /// Of each life that is cut off in all ways, about: of more than so many ways every so many are tried, at all moments.
        public var mostStates = Int.max
        /// The first opening of the first life is not cut off: for scripts of which many make the same channel.
        public var skipsCreation = false

        public init() {}

        /// For long runs over many seeds.
        public static var random: Depth {
            var depth = Depth()
            depth.moments = 24
            depth.choices = 2
            depth.insideEvery = 32
            depth.damageEvery = 4
            return depth
        }

        /// Everything is done with every state.
        public static var close: Depth {
            var depth = Depth()
            depth.insideEvery = 1
            depth.insideLimit = 4
            depth.killInsideEvery = 1
            depth.usedEvery = 1
            depth.cutAgainEvery = 1
            depth.bareEvery = 1
            return depth
        }

        /// The same, but for crashes inside recovery, which would have to be found again in another script.
        static var search: Depth {
            var depth = Depth.close
            depth.insideEvery = .max
            return depth
        }
    }
}
