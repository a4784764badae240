internal import FileIO
internal import LogFormat

/// Makes a segment that appears whole: identity, first group and all under a spare name, synced, and then renamed. The
/// rename is the moment at which its `open` frame counts.
///
/// For a new log, and for recovery where the last segment cannot be written on.
struct FreshSegment {
    let directory: any StorageDirectory
    let runtime: any Runtime
    let budget: SpaceBudget
    let method: WriteMethod

    /// - Parameters:
    ///   - frames: the first group: snapshot, open frame, and frames carried over.
    ///   - reserve: the reserve file to use instead of a new one, when there is no room.
    func make(
        _ identity: IdentityBlock, frames: [FramePayload], _ numbering: GroupCommit.Numbering, stated: DurableThrough,
        reserve: Int?
    ) throws(FileError) -> (segment: ActiveSegment, group: GroupCommit) {
        // The reserve keeps its name until it has another one: under a spare name a crash would cost it.
        let name = reserve.map(FileNames.reserve) ?? FileNames.temporary(runtime.randomNonzero())
        let file =
            reserve == nil
            ? try directory.create(name, method: method) : try directory.open(name, for: .writing(method))
        do throws(FileError) {
            if reserve == nil { try file.prewrite(0..<identity.segmentBytes) }
            try file.write(
                SegmentPreparation.encode(identity), count: SpaceBudget.identityBytes, at: 0)
            let segment = ActiveSegment(identity, file: file)
            let group = GroupCommit(
                segment: segment,
                plan: GroupPlan(frames, blockBytes: budget.blockBytes),
                frames: frames, tickets: [], epoch: identity.opening.epoch,
                nonce: identity.opening.nonce,
                stated: stated, numbering: numbering, opensEpoch: true)
            let buffer = AlignedBuffer(byteCount: group.plan.totalBytes)
            group.assemble(into: buffer, commitTime: runtime.wallClock())
            try file.write(buffer, count: group.plan.totalBytes, at: group.offset)
            #if PlantedBugs
                if !PlantedBug.skipFreshSegmentSync.isPlanted { try file.synchronize() }
            #else
                try file.synchronize()
            #endif
            let takeName = { () throws(FileError) in try directory.rename(name, to: FileNames.segment(identity.segment))
            }
            #if PlantedBugs
                if PlantedBug.skipFreshNameSync.isPlanted {
                    try takeName()
                } else {
                    try directory.changeNames(takeName)
                }
            #else
                try directory.changeNames(takeName)
            #endif
            segment.cursor = group.end.lsn.offset
            return (segment, group)
        } catch {
            try? file.close()
            if reserve == nil { try? directory.unlink(name) }
            throw error
        }
    }
}
