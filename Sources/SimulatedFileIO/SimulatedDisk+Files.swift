internal import FileIO
internal import Glibc

/// Changes of one file: what they do to the live image, what becomes pending, and what makes it durable.
extension SimulatedDisk {
    // MARK: Buffered changes

    /// Writes through the page cache. Returns false when the disk is too full; what fits is written, as by the kernel.
    func write(_ bytes: WrittenBytes, at offset: UInt64, to inode: UInt64, _ path: String) -> Bool {
        let fitting = fittingBytes(of: bytes.count, at: offset, in: inode)
        if fitting > 0 {
            let written = fitting == bytes.count ? bytes : bytes.extracting(0..<fitting)
            grow(inode, to: offset + UInt64(fitting), path)
            change(path, .write(inode: inode, written, offset: offset))
        }
        return fitting == bytes.count
    }

    /// Writes zeros, or nothing when the disk is too full.
    func prewrite(_ range: Range<UInt64>, of inode: UInt64, _ path: String) -> Bool {
        guard !range.isEmpty else { return true }
        guard fittingBytes(of: range.count, at: range.lowerBound, in: inode) == range.count else { return false }
        grow(inode, to: range.upperBound, path)
        change(path, .write(inode: inode, .zeros(range.count), offset: range.lowerBound))
        return true
    }

    func truncate(_ inode: UInt64, to size: UInt64, _ path: String) {
        let old = live.files[inode]?.size ?? 0
        guard size != old else { return }
        change(path, .size(inode: inode, from: old, to: size, isGrowth: size > old))
    }

    private func grow(_ inode: UInt64, to end: UInt64, _ path: String) {
        let old = live.files[inode]?.size ?? 0
        if end > old { change(path, .size(inode: inode, from: old, to: end, isGrowth: true)) }
    }

    private func change(_ path: String, _ effect: PendingOperation.Effect) {
        live.apply(effect)
        addPending(path, effect)
    }

    /// How many of the bytes find room, holes of the last page that fits included.
    private func fittingBytes(of count: Int, at offset: UInt64, in inode: UInt64) -> Int {
        guard let capacity = options.capacityBytes else { return count }
        let image = live.files[inode] ?? FileImage()
        let allocated = live.allocatedBytes
        var room = capacity > allocated ? Int((capacity - allocated) / UInt64(Page.byteCount)) : 0
        guard image.holes(in: offset..<offset + UInt64(count)) > room else { return count }
        var fitting = 0
        while fitting < count {
            let position = offset + UInt64(fitting)
            let inPage = Page.byteCount - Int(position % UInt64(Page.byteCount))
            if image.holes(in: position..<position + 1) > 0 {
                if room == 0 { break }
                room -= 1
            }
            fitting = min(count, fitting + inPage)
        }
        return fitting
    }

    // MARK: Submitted writes

    /// Puts a durable write in flight. Nil when the disk is too full. Its blocks are taken at once; its bytes show in
    /// the live image when it is finished.
    func submit(
        _ bytes: [UInt8], at offset: UInt64, to inode: UInt64, _ path: String, owner: ObjectIdentifier
    ) -> PendingOperation.Submission? {
        guard fittingBytes(of: bytes.count, at: offset, in: inode) == bytes.count else { return nil }
        let submission = PendingOperation.Submission(id: nextOperationID, owner: owner)
        let end = offset + UInt64(bytes.count)
        live.files[inode, default: FileImage()].allocate(offset..<end)
        let size = live.files[inode]?.size ?? 0
        if end > size {
            let growth = PendingOperation.Effect.size(inode: inode, from: size, to: end, isGrowth: true)
            addPending(path, growth, submission: submission)
        }
        addPending(path, .write(inode: inode, .data(bytes), offset: offset), submission: submission)
        return submission
    }

    /// Ends a write in flight: its bytes, or the part that the fault leaves, are live and durable.
    func finish(_ submission: PendingOperation.Submission, method: WriteMethod, fault: Fault?) {
        let parts = pendingOperations.filter { $0.submission == submission }
        pendingOperations.removeAll { $0.submission == submission }
        guard let inode = parts.first?.inode else { return }

        if options.liesAboutSync && fault == nil {
            for part in parts {
                live.apply(part.effect)
                pendingOperations.append(PendingOperation(id: part.id, path: part.path, effect: part.effect))
            }
            pendingOperations.sort { $0.id < $1.id }
            return
        }
        let kept: KeptPart
        switch fault?.outcome {
        case .none, .whole: kept = .whole
        case .absent: kept = .nothing
        case .torn(let part): kept = part
        }
        if fault == nil || method == .writeThenSync {
            makeDurableBefore(parts, of: inode, all: method == .writeThenSync && fault == nil)
        }
        if kept == .whole, case .write(let range) = parts.last?.kind {
            // A synced write makes as much of the size durable as is needed to find its bytes again.
            durable.apply(.size(inode: inode, from: 0, to: range.upperBound, isGrowth: true))
        }
        for part in parts {
            durable.apply(part.effect, keeping: kept, sectorBytes: options.sectorBytes)
            // Where the page cache is in between, it has the new bytes, whatever the disk says.
            let isCached = method != .directSynced
            live.apply(part.effect, keeping: isCached ? .whole : kept, sectorBytes: options.sectorBytes)
            if isCached && kept != .whole { diverged.insert(inode) }
        }
        if fault != nil && method == .writeThenSync { loseFileChanges(of: inode) }
    }

    /// Older changes of the file that must be on the disk before a completed write is, so that none of them can undo it
    /// later: all of them where the write ends in `fdatasync`, else the writes that overlap it and the sizes up to the
    /// last one that made the file smaller.
    private func makeDurableBefore(_ parts: [PendingOperation], of inode: UInt64, all: Bool) {
        guard pendingOperations.contains(where: { $0.inode == inode }) else { return }
        let written = parts.lazy.compactMap { part -> Range<UInt64>? in
            if case .write(let range) = part.kind { range } else { nil }
        }.first
        let lastCut = pendingOperations.lastIndex { operation in
            if case .size(inode, _, _, isGrowth: false) = operation.effect { true } else { false }
        }
        var remaining: [PendingOperation] = []
        for (index, operation) in pendingOperations.enumerated() {
            let mustGo: Bool
            switch operation.kind {
            case _ where operation.inode != inode || operation.isInFlight: mustGo = false
            case _ where all: mustGo = true
            case .write(let range): mustGo = written.map { $0.overlaps(range) } ?? false
            case .size: mustGo = lastCut.map { index <= $0 } ?? false
            default: mustGo = false
            }
            if mustGo { durable.apply(operation.effect) } else { remaining.append(operation) }
        }
        pendingOperations = remaining
    }

    /// Ends the writes in flight of a process that is gone: they are as `choice` says, in the live image and pending.
    func resolveInFlight(_ choice: CrashChoice, of owner: ObjectIdentifier?) {
        var resolved: [PendingOperation] = []
        for operation in pendingOperations {
            guard let submission = operation.submission, owner == nil || submission.owner == owner else {
                resolved.append(operation)
                continue
            }
            for effect in operation.effects(keeping: choice[operation.id], sectorBytes: options.sectorBytes) {
                live.apply(effect)
                resolved.append(PendingOperation(id: operation.id, path: operation.path, effect: effect))
            }
        }
        // A write torn into several pieces has become several operations, and each needs an id of its own.
        var seen: Set<Int> = []
        pendingOperations = resolved.map { operation in
            guard !seen.insert(operation.id).inserted else { return operation }
            defer { nextOperationID += 1 }
            return PendingOperation(
                id: nextOperationID, path: operation.path, effect: operation.effect, submission: operation.submission)
        }
    }

    // MARK: Synchronizing

    /// Makes every pending change of the file's bytes and size durable.
    func synchronizeFile(_ inode: UInt64) {
        let pending = pendingOperations.filter { $0.inode == inode }
        if !diverged.contains(inode) && !pending.contains(where: \.isInFlight) {
            // Then the live image is exactly the durable one with the pending changes made.
            if !pending.isEmpty { durable.files[inode] = live.files[inode] }
        } else {
            for operation in pending where !operation.isInFlight { durable.apply(operation.effect) }
        }
        pendingOperations.removeAll { $0.inode == inode && !$0.isInFlight }
    }

    /// What a failed sync does: the pending changes stay visible and will never be written. `keepingFirst` of them got
    /// to the disk before the failure.
    func loseFileChanges(of inode: UInt64, keepingFirst kept: Int = 0) {
        let pending = pendingOperations.filter { $0.inode == inode && !$0.isInFlight }
        for operation in pending.prefix(kept) { durable.apply(operation.effect) }
        guard pending.count > kept else {
            pendingOperations.removeAll { $0.inode == inode && !$0.isInFlight }
            return
        }
        pendingOperations.removeAll { $0.inode == inode && !$0.isInFlight }
        diverged.insert(inode)
    }

    // MARK: Reading

    /// What a read around the page cache finds: the durable bytes, and pending ones, which are written back first
    /// without becoming durable.
    func deviceImage(of inode: UInt64) -> FileImage {
        guard diverged.contains(inode) else { return live.files[inode] ?? FileImage() }
        var image = DiskImage()
        image.files[inode] = durable.files[inode]
        for operation in pendingOperations where operation.inode == inode && !operation.isInFlight {
            image.apply(operation.effect)
        }
        return image.files[inode] ?? FileImage()
    }
}

extension PendingOperation {
    /// The parts of the change that survive, each a change of its own.
    fileprivate func effects(keeping part: KeptPart, sectorBytes: Int) -> [Effect] {
        if part == .nothing { return [] }
        guard part != .whole, case .write(let inode, let bytes, let offset) = effect else { return [effect] }
        return part.byteRanges(of: bytes.count, at: offset, sectorBytes: sectorBytes).map { range in
            .write(inode: inode, bytes.extracting(range), offset: offset + UInt64(range.lowerBound))
        }
    }
}
