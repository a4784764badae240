public import FileIO
public import LogFormat

/// A segmented, checksummed write-ahead log in one directory: frames in, in order and durable; frames out, by position.
///
/// It knows no events and no takes. What it keeps of its client's pointers is an opaque state, asked for when a segment
/// begins, a checkpoint is due or segments are retired.
///
/// Thread rules: every method may be called from any thread; those that block say so. Frames are encoded, compressed
/// and checksummed by their maker, outside every lock (``FramePayload``). Locks: `lock` is held only for decisions, never
/// over I/O or a callback; `checkpointLock`, and then `syncLock`, taken before it, are held while a checkpoint slot is
/// written and while segments are synced.
public final class Log: @unchecked Sendable {
    public let configuration: LogConfiguration
    public let path: String
    /// What opening found and did.
    public internal(set) var recoveryReport: RecoveryReport
    /// How groups are written.
    public let writeMethod: WriteMethod
    /// What groups are padded to.
    public let blockBytes: Int
    public let logUUID: LogUUID

    let directory: any StorageDirectory
    let runtime: any Runtime
    let budget: SpaceBudget
    let clientSource: (@Sendable () -> ClientCheckpoint)?

    let lock = Lock()
    // Everything below is guarded by `lock`.
    private let guardedState: Guarded<LogState>
    private let guardedBuffers = Guarded<[AlignedBuffer]>([])
    /// Background work under way; closing waits for it.
    var backgroundCount = 0
    var idleTimerArmed = false
    var syncTimerArmed = false
    var checkpointing = false
    var pins: [SegmentNumber: Int] = [:]
    var closeWaiters: [WaitCell] = []
    var backgroundFailures: [BackgroundWork: LogError] = [:]
    /// What set-aside copies take.
    var setAsideBytes: UInt64 = 0
    /// What kept reports take.
    var reportBytes: UInt64 = 0
    /// When what keeps room was last looked at for a claim that was refused.
    var lastLookForRoom: UInt64 = 0

    /// Of what recovery found and nothing needs: those whose removal has failed, and may be tried again.
    var foundFilesLeft: FoundFiles?

    /// Found by recovery; recorded in the log before opening returns.
    var lossesToRecord: [DamagedRange] = []

    /// Held over the writing of a checkpoint; taken before `syncLock` and `lock`, never after them.
    let checkpointLock = Lock()
    var checkpointGeneration: UInt64
    var nextSlot: UInt32

    /// Held while segments are synced, under the weaker durabilities; taken before `lock`, never after it.
    let syncLock = Lock()

    init(
        configuration: LogConfiguration, directory: any StorageDirectory, runtime: any Runtime, budget: SpaceBudget,
        report: RecoveryReport, writeMethod: WriteMethod, state: LogState, checkpointGeneration: UInt64,
        nextSlot: UInt32, clientSource: (@Sendable () -> ClientCheckpoint)?
    ) {
        self.configuration = configuration
        self.directory = directory
        self.runtime = runtime
        self.budget = budget
        self.writeMethod = writeMethod
        guardedState = Guarded(state)
        self.checkpointGeneration = checkpointGeneration
        self.nextSlot = nextSlot
        self.clientSource = clientSource
        path = directory.path
        recoveryReport = report
        blockBytes = budget.blockBytes
        logUUID = state.logUUID
    }

    var state: LogState {
        unsafeAddress { unsafe UnsafePointer(guardedState.address) }
        unsafeMutableAddress { unsafe guardedState.address }
    }

    /// For groups, ascending by size.
    var buffers: [AlignedBuffer] {
        unsafeAddress { unsafe UnsafePointer(guardedBuffers.address) }
        unsafeMutableAddress { unsafe guardedBuffers.address }
    }

    // MARK: Appending

    /// Appends frames, in this order and next to each other, and returns when they are durable (under a weaker
    /// ``LogConfiguration/durability``: when they were handed to the operating system). Each frame is atomic by itself; the
    /// append as a whole is not (a crash may leave its first frames).
    ///
    /// Frames of the log's own (snapshot, open, seal, close, padding) are not for appending: recovery would believe them.
    /// Not from a completion: it would wait for the thread it runs on.
    ///
    /// Blocks for one synced write, or several when others are ahead. Costs one copy of the payloads.
    ///
    /// - Parameters:
    ///   - releasing: a claim (``changeClaim(from:to:)``) that ends when these frames have been placed, or refused. Frames of
    ///     no more bytes than it are not refused for want of capacity.
    /// - Throws: `full` when there is no room for another segment (nothing was written), `tooLarge`, `outcomeUnknown` when
    ///   the write failed, `readOnly`, `closed`.
    public func append(_ frames: [FramePayload], releasing claim: Int = 0) throws(LogError) -> AppendReceipt {
        precondition(!frames.isEmpty, "an append without frames")
        let ticket = AppendTicket(frames, releasing: claim, completion: nil)
        lock.lock()
        do throws(LogError) {
            try state.enqueue(ticket)
        } catch {
            lock.unlock()
            throw error
        }
        let work = nextWork()
        lock.unlock()
        return try wait(for: ticket, doing: work)
    }

    /// Waits for a ticket's answer, and does what there is to do meanwhile. The appending thread writes its own group, and
    /// whatever joined it: no thread is woken for a lone append.
    func wait(for ticket: AppendTicket, doing first: consuming Work?) throws(LogError) -> AppendReceipt {
        var work = first
        while true {
            if let work = work.take() { run(work, leader: ticket) }
            if runtime.wait(for: ticket.cell!) == AppendTicket.done { return try ticket.answer!.get() }
            // Woken to lead; it may be done all the same.
            ticket.cell!.reset()
            lock.lock()
            if let answer = ticket.answer {
                lock.unlock()
                return try answer.get()
            }
            work = nextWork()
            lock.unlock()
        }
    }

    /// As ``append(_:releasing:)``, without blocking for the disk where the file completes writes later; with a file that
    /// writes on the calling thread (Linux) the work goes to the background. `completion` is called once, with no lock held.
    public func submit(
        _ frames: [FramePayload], releasing claim: Int = 0,
        completion: @escaping @Sendable (Result<AppendReceipt, LogError>) -> Void
    ) {
        precondition(!frames.isEmpty, "an append without frames")
        submit(AppendTicket(frames, releasing: claim, completion: completion))
    }

    func submit(_ ticket: AppendTicket) {
        do throws(LogError) {
            try lock.withLock { () throws(LogError) in try state.enqueue(ticket) }
        } catch {
            ticket.completion?(.failure(error))
            return
        }
        schedulePump()
    }

    // MARK: Looking

    /// Everything before this is durable, as far as the log's durability promises it.
    public var durableThrough: DurableThrough { lock.withLock { state.durable } }

    /// Everything before this is on the disk for certain. Not before ``durableThrough`` but under a weaker durability.
    public var syncedThrough: DurableThrough { lock.withLock { state.synced } }

    /// The live segments, oldest first.
    public var segments: [SegmentSummary] {
        lock.withLock { state.table.summaries(nextSequence: state.nextSequence) }
    }

    /// The present epoch.
    public var epoch: Epoch { lock.withLock { state.epoch } }

    /// What the log did since it was opened. Costs the log's lock and a copy of some 40 numbers.
    public var statistics: LogStatistics { lock.withLock { state.statistics } }

    /// The most groups that were in flight at once since opening.
    public var mostGroupsInFlight: Int { lock.withLock { state.statistics.mostGroupsInFlight } }

    /// Set when nothing can be written any more.
    public var readOnlyError: LogError? {
        lock.withLock { if case .readOnly(let error) = state.phase { error } else { nil } }
    }

    /// A failure of background work (making a segment ahead, a checkpoint, retirement, ...) that has not succeeded since;
    /// each is tried again.
    public var lastBackgroundFailure: LogError? {
        lock.withLock { BackgroundWork.allCases.lazy.compactMap { self.backgroundFailures[$0] }.first }
    }
}

extension Runtime {
    /// Random, never zero.
    func randomNonzero() -> UInt64 {
        while true {
            let value = random()
            if value != 0 { return value }
        }
    }
}

/// What goes on in the background. Of each kind the last failure is kept, until it has succeeded.
enum BackgroundWork: Hashable, CaseIterable { case segment, sync, retirement, foundFiles, checkpoint, reserve, loss }
