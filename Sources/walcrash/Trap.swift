import Glibc
import Synchronization

/// A trap in the engine is a finding, too: its last words are the seeds that were being run, or whatever else has a number.
enum Trap {
    private static let seeds = Seeds()

    /// As many as there are jobs, up to four; readable in a signal handler.
    private final class Seeds: Sendable {
        let first = Atomic<UInt64>(0), second = Atomic<UInt64>(0), third = Atomic<UInt64>(0), fourth = Atomic<UInt64>(0)
        let count = Atomic<Int>(0)
        let areVariants = Atomic<Bool>(false)
    }

    static func note(_ running: [UInt64]) {
        for (slot, seed) in zip([0, 1, 2, 3], running) { store(seed, slot) }
        seeds.count.store(min(4, running.count), ordering: .relaxed)
    }

    private static func store(_ seed: UInt64, _ slot: Int) {
        switch slot {
        case 0: seeds.first.store(seed, ordering: .relaxed)
        case 1: seeds.second.store(seed, ordering: .relaxed)
        case 2: seeds.third.store(seed, ordering: .relaxed)
        default: seeds.fourth.store(seed, ordering: .relaxed)
        }
    }

    /// - Parameter variants: the numbers are no seeds, but those of variants of `walcrash bits`.
    static func arm(variants: Bool = false) {
        seeds.areVariants.store(variants, ordering: .relaxed)
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] {
            signal(number) { number in
                Trap.tell()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// In a signal handler: no memory is taken.
    private static func tell() {
        let count = seeds.count.load(ordering: .relaxed)
        put("\nwalcrash: the engine trapped; it was running ")
        if seeds.areVariants.load(ordering: .relaxed) { put("variant") } else { put("seed") }
        if count > 0 { put(seeds.first.load(ordering: .relaxed)) }
        if count > 1 { put(seeds.second.load(ordering: .relaxed)) }
        if count > 2 { put(seeds.third.load(ordering: .relaxed)) }
        if count > 3 { put(seeds.fourth.load(ordering: .relaxed)) }
        put("\n")
    }

    private static func put(_ text: StaticString) {
        _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }

    private static func put(_ number: UInt64) {
        put(" ")
        var divisor: UInt64 = 10_000_000_000_000_000_000
        var isLeading = true
        while divisor > 0 {
            var digit = UInt8(number / divisor % 10)
            if digit != 0 || divisor == 1 { isLeading = false }
            digit += 0x30
            if !isLeading { _ = unsafe write(STDERR_FILENO, &digit, 1) }
            divisor /= 10
        }
    }
}
