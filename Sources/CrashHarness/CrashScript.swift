public import DurableChannel
public import SimulatedFileIO

/// One run of a channel on a simulated disk, complete: options, what clients do in each of the channel's lives, what fails, and
/// how each life ends. Running it twice gives the same disk, byte for byte.
///
/// It is a value that can be written down (``text``), read again, generated from a seed, and made smaller.
public struct CrashScript: Sendable, Equatable {
    /// Where it comes from: a workload's name, or `random`.
    public var name: String
    /// For all that is drawn while it runs: the order in which threads go on, completions come, and random numbers.
    public var seed: UInt64
    public var disk = Disk()
    public var channel = Channel()
    public var lives: [Life]

    public init(name: String, seed: UInt64, lives: [Life]) {
        self.name = name
        self.seed = seed
        self.lives = lives
    }

    /// What kind of disk it is: ``SimulatedDisk/Options`` in so far as a script can choose.
    public struct Disk: Sendable, Equatable {
        public var sectorBytes = 512
        public var blockBytes = 512
        public var tearsInsideSectors = false
        public var renamesCanLeaveBothNames = false
        public var supportsDirectWrites = true
        public var liesAboutSync = false

        public init() {}

        var options: SimulatedDisk.Options {
            var options = SimulatedDisk.Options()
            options.sectorBytes = sectorBytes
            options.logicalBlockBytes = blockBytes
            options.tearsInsideSectors = tearsInsideSectors
            options.renamesCanLeaveBothNames = renamesCanLeaveBothNames
            options.supportsDirectWrites = supportsDirectWrites
            options.liesAboutSync = liesAboutSync
            return options
        }
    }

    /// ``ChannelConfiguration`` in so far as a script can choose.
    public struct Channel: Sendable, Equatable {
        public var capacityBytes: UInt64 = 400 << 10
        public var capacityEvents: UInt64?
        public var segmentBytes: UInt32 = 20 << 10
        public var snapshotLimitBytes = 3 << 10
        public var blockBytes: Int?
        public var whenFull = OverflowPolicy.reject
        public var compresses = false
        public var groupsInFlight = 4
        public var leaseStep: UInt64 = 6
        public var tailCacheBytes = 8 << 20
        public var checkpointIntervalBytes: UInt64 = 4 << 20
        public var writesThenSyncs = false
        public var durability = DurabilityMode.commit

        public init() {}

        package var configuration: ChannelConfiguration {
            var configuration = ChannelConfiguration(capacityBytes: capacityBytes)
            configuration.capacityEvents = capacityEvents
            configuration.segmentBytes = segmentBytes
            configuration.snapshotLimitBytes = snapshotLimitBytes
            configuration.blockBytes = blockBytes
            configuration.whenFull = whenFull
            configuration.compression = compresses ? .lz4 : .none
            configuration.groupsInFlight = groupsInFlight
            configuration.leaseStep = leaseStep
            configuration.tailCacheBytes = tailCacheBytes
            configuration.checkpointIntervalBytes = checkpointIntervalBytes
            configuration.durability = durability
            if writesThenSyncs { configuration.writeMethods = [.writeThenSync] }
            return configuration
        }
    }

    /// One process with the channel open.
    public struct Life: Sendable, Equatable {
        /// Done to the files before it opens them. Only for the last life of a script, which looks at what is left.
        public var damage: [Damage] = []
        /// Added when the channel has been opened.
        public var faults: [Failure] = []
        public var phases: [Phase] = []
        public var ending = Ending.close

        public init(_ phases: [Phase] = [], ending: Ending = .close) {
            self.phases = phases
            self.ending = ending
        }

        /// Nobody does anything: the channel is opened, and what is there is looked at.
        var isLook: Bool { phases.isEmpty && faults.isEmpty }
    }

    /// Clients that work side by side until all have done what they have to.
    public struct Phase: Sendable, Equatable {
        public var clients: [[Step]]
        /// Afterwards everything that is under way comes to its end.
        public var settles = false

        public init(_ clients: [[Step]], settles: Bool = false) {
            self.clients = clients
            self.settles = settles
        }
    }

    /// One thing that a client does.
    public enum Step: Sendable, Equatable {
        /// A transaction of `count` events of `bytes`, with a bookmark of the client's own, one that several clients set, and
        /// a producer's stamp.
        case put(count: Int, bytes: Int, bookmark: Bool, shared: Bool, stamped: Bool)
        /// Puts until there is no room.
        case fill(count: Int, bytes: Int)
        /// Commits again what ended with `outcomeUnknown`.
        case retry
        /// Commits its last transaction again, as if the answer had been lost.
        case repeatLast
        /// Begins a take of up to `count` events, and keeps it.
        case take(count: Int, waitMilliseconds: Int)
        /// Commits one of the takes that it keeps.
        case commit(take: Int, deadLetters: Int, bookmark: Bool)
        /// Rolls one of them back.
        case rollback(take: Int)
        /// Takes and commits so many at a time until there is nothing.
        case drain(count: Int)
        /// Sets a bookmark without events.
        case bookmark
        case checkpoint
        /// Makes durable what was acknowledged under a weaker durability.
        case synchronize
        case resizeBytes(UInt64)
        case resizeEvents(UInt64?)
        /// The wall clock jumps.
        case jump(milliseconds: Int)
        /// Another process tries to open the channel, and this one a second time.
        case intrude
        /// Others may get their turn.
        case yield
        case sleep(milliseconds: Int)
    }

    /// A scripted failure of one kind of operation: ``Fault``.
    public struct Failure: Sendable, Equatable {
        public enum Leaves: String, Sendable, CaseIterable { case absent, whole, torn }

        public var operation: SimulatedOperation
        public var errno: Int32
        public var skipping: Int
        public var count: Int
        public var leaves = Leaves.absent
        /// Virtual time that the operation takes. With errno 0 it is late and succeeds.
        public var delayMilliseconds = 0

        public init(_ operation: SimulatedOperation, errno: Int32, skipping: Int = 0, count: Int = 1) {
            self.operation = operation
            self.errno = errno
            self.skipping = skipping
            self.count = count
        }

        var fault: Fault {
            let outcome: Fault.Outcome =
                switch leaves {
                case .absent: .absent
                case .whole: .whole
                case .torn: .torn(.sectors([0..<1]))
                }
            return Fault(
                operation, errno: errno, skipping: skipping, count: count, outcome: outcome,
                delay: UInt64(delayMilliseconds) * 1_000_000)
        }
    }

    /// What somebody or something did to the files while nobody had them open.
    public struct Damage: Sendable, Equatable {
        public enum Kind: String, Sendable, CaseIterable {
            case flip, zeroSector, garbleSector, garblePage, swapPages, cut, remove, exchange, duplicate, replace,
                unreadable
            /// Both copies of a segment's identity.
            case garbleIdentity
            /// All segments; the checkpoint stays.
            case removeSegments
            /// The beginning of one of the two newest segments, where the frame that opened an epoch stands; every second time
            /// the checkpoint is gone as well.
            case unreadableStart

            var isUnreadable: Bool { self == .unreadable || self == .unreadableStart }
            /// It strikes one page at most, and so one copy of an identity (or both are not given, and then nothing is opened).
            var leavesIdentities: Bool {
                switch self {
                case .flip, .zeroSector, .garbleSector, .garblePage, .unreadable, .unreadableStart: true
                default: false
                }
            }
        }

        public var kind: Kind
        /// Which file, and where in it.
        public var seed: UInt64

        public init(_ kind: Kind, seed: UInt64) {
            self.kind = kind
            self.seed = seed
        }
    }

    public enum Ending: Sendable, Equatable {
        /// ``FileChannel/close()``.
        case close
        case cut(Cut)
    }

    /// The end of a life at one of its storage operations.
    public struct Cut: Sendable, Equatable {
        /// Before so many operations of this life were done; at its end when it has no more.
        public var operation: Int
        /// A killed process leaves what it wrote to the page cache; otherwise the power went.
        public var isKill = false
        public var keeping: Keeping

        public init(operation: Int, isKill: Bool = false, keeping: Keeping) {
            self.operation = operation
            self.isKill = isKill
            self.keeping = keeping
        }
    }

    /// What survives of the changes that were not durable yet.
    public enum Keeping: Sendable, Equatable {
        case everything, nothing
        /// One of ``SimulatedDisk/legalCrashChoices(limit:)``, counted from 0.
        case legal(Int)
        /// ``SimulatedDisk/randomCrashChoice(using:)``.
        case random(seed: UInt64)

        func choice(for disk: SimulatedDisk) -> CrashChoice {
            switch self {
            case .everything: return .everything
            case .nothing: return .nothing
            case .legal(let number):
                let choices = disk.legalCrashChoices(limit: number + 1)
                return choices[min(number, choices.count - 1)]
            case .random(let seed):
                var random = SeededRandom(seed: seed)
                var choice = disk.randomCrashChoice(using: &random)
                // All or nothing is one of the plain choices.
                for _ in 0..<4 where choice.exceptions.count % max(1, disk.pendingOperations.count) == 0 {
                    choice = disk.randomCrashChoice(using: &random)
                }
                return choice
            }
        }
    }
}

extension CrashScript {
    /// A life behind the last one that works, in which nothing is done but to look at damage.
    var lastDamage: Damage? { lives.count > 1 ? lives.last?.damage.first : nil }
    /// The last one that works.
    var lastLife: Int { lives.count - (lastDamage == nil ? 1 : 2) }
}

extension CrashScript.Cut {
    func words(_ moment: ChannelRecorder.Moment) -> String {
        "\(isKill ? "kill" : "power cut") before op \(operation) \(moment.operation)"
    }

    func survivor(of disk: SimulatedDisk) -> SimulatedDisk {
        let choice = keeping.choice(for: disk)
        return isKill ? disk.killed(keeping: choice) : disk.crashed(keeping: choice)
    }
}
