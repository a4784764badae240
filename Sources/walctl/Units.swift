/// Numbers and times for eyes.
enum Units {
    /// `1.5 MiB`; whole below 1 KiB.
    static func bytes(_ count: UInt64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard count >= 1024 else { return "\(count) B" }
        var value = Double(count) / 1024
        var unit = 0
        while value >= 1023.95, unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        return "\(tenths(value)) \(units[unit])"
    }

    /// One decimal.
    static func tenths(_ value: Double) -> String {
        let scaled = Int64((value * 10).rounded())
        return "\(scaled / 10).\(scaled % 10)"
    }

    /// `3.2 s`, `5 min 20 s`, `2 d 4 h`.
    static func duration(nanoseconds: UInt64) -> String {
        if nanoseconds < 1_000_000 { return "\(nanoseconds / 1000) us" }
        if nanoseconds < 1_000_000_000 { return "\(nanoseconds / 1_000_000) ms" }
        let seconds = nanoseconds / 1_000_000_000
        switch seconds {
        case ..<60: return "\(tenths(Double(nanoseconds) / 1e9)) s"
        case ..<3600: return "\(seconds / 60) min \(seconds % 60) s"
        case ..<86400: return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        default: return "\(seconds / 86400) d \(seconds % 86400 / 3600) h"
        }
    }

    /// How long ago, from `now`.
    static func ago(_ time: UInt64, _ now: UInt64) -> String {
        time <= now
            ? "\(duration(nanoseconds: now - time)) ago" : "in \(duration(nanoseconds: time - now)) (by its clock)"
    }

    /// `2026-12-01T12:30:05.123Z`.
    static func time(_ nanoseconds: UInt64) -> String {
        let (days, rest) = (nanoseconds / 1_000_000_000).quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = Self.date(days)
        func digits(_ value: some BinaryInteger, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))T\(digits(rest / 3600, 2)):"
            + "\(digits(rest % 3600 / 60, 2)):\(digits(rest % 60, 2)).\(digits(nanoseconds % 1_000_000_000 / 1_000_000, 3))Z"
    }

    /// The date that is so many days after 1970-01-01 (Gregorian; Howard Hinnant's `civil_from_days`).
    private static func date(_ days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }

    /// The other way.
    private static func days(_ year: UInt64, _ month: UInt64, _ day: UInt64) -> UInt64 {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = year.quotientAndRemainder(dividingBy: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// A time as people and programs write it: nanoseconds since 1970; an instant, `2026-12-01`, `2026-12-01T12:30:05(.123)Z`; or
    /// how long ago, `90s`, `15m`, `2h`, `3d`. nil for anything else.
    static func parseTime(_ text: String, now: UInt64) -> UInt64? {
        if let number = UInt64(text), text.utf8.count >= 12 { return number }
        if let last = text.last, let number = UInt64(text.dropLast()),
            let factor = ["s": 1, "m": 60, "h": 3600, "d": 86400][last]
        {
            let (span, overflow) = number.multipliedReportingOverflow(by: UInt64(factor) * 1_000_000_000)
            return overflow ? nil : now > span ? now - span : 0
        }
        return instant(text)
    }

    private static func instant(_ text: String) -> UInt64? {
        var rest = Substring(text)
        func number(_ count: Int, in range: ClosedRange<UInt64>) -> UInt64? {
            let digits = rest.prefix(count)
            guard digits.utf8.count == count, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = UInt64(digits), range.contains(value)
            else { return nil }
            rest = rest.dropFirst(count)
            return value
        }
        func skip(_ character: Character) -> Bool {
            guard rest.first == character else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4, in: 1970...2400), skip("-"), let month = number(2, in: 1...12), skip("-"),
            let day = number(2, in: 1...31)
        else { return nil }
        var seconds = days(year, month, day) * 86_400
        var fraction: UInt64 = 0
        if skip("T") || skip(" ") {
            guard let hour = number(2, in: 0...23), skip(":"), let minute = number(2, in: 0...59) else { return nil }
            seconds += hour * 3600 + minute * 60
            if skip(":") {
                guard let second = number(2, in: 0...60) else { return nil }
                seconds += second
                if skip(".") {
                    let digits = rest.prefix { $0.isASCII && $0.isNumber }
                    guard !digits.isEmpty, digits.count <= 9, let value = UInt64(digits) else { return nil }
                    rest = rest.dropFirst(digits.count)
                    fraction = (digits.count..<9).reduce(value) { sum, _ in sum * 10 }
                }
            }
        }
        _ = skip("Z")
        return rest.isEmpty ? seconds * 1_000_000_000 + fraction : nil
    }
}
