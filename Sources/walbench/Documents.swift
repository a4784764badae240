/// Made log records in JSON: a few services, paths and messages, as they come in real ones, and numbers that differ in each. The
/// same at each call, so that runs can be compared.
enum Documents {
    private static let services = ["checkout", "catalogue", "payments", "sessions", "search", "mail"]
    private static let levels = ["info", "info", "info", "info", "warn", "debug", "info", "error"]
    private static let paths = [
        "/api/v1/cart", "/api/v1/items", "/login", "/api/v1/orders", "/health", "/static/app.js",
    ]
    private static let messages = [
        "request completed", "cache miss, asked the database", "retrying after a timeout of the upstream",
        "session renewed", "order accepted and queued for delivery", "slow query",
    ]

    static func make(_ count: Int) -> [[UInt8]] {
        var state: UInt64 = 0x5ca1_ab1e
        var next: (Int) -> Int = { _ in 0 }
        // A generator of its own: the system's would give other documents in each run.
        next = { limit in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(limit))
        }
        return (0..<count).map { index in
            let trace = String(next(1 << 62), radix: 16)
            let text =
                "{\"time\":\"2026-03-\(10 + index / 4000 % 20)T12:\(10 + index / 60 % 50):\(10 + index % 50).\(100 + next(900))Z\","
                + "\"level\":\"\(levels[next(8)])\",\"service\":\"\(services[next(6)])\",\"host\":\"node-\(next(24))\","
                + "\"trace\":\"\(trace)\",\"http\":{\"method\":\"\(next(4) == 0 ? "POST" : "GET")\","
                + "\"path\":\"\(paths[next(6)])/\(next(100_000))\",\"status\":\(next(20) == 0 ? 500 : 200),"
                + "\"bytes\":\(next(60_000))},\"milliseconds\":\(next(2_000)),\"message\":\"\(messages[next(6)])\"}"
            return Array(text.utf8)
        }
    }
}
