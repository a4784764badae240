/// What the steps of a script are carried out on: a channel on a simulated disk (``ChannelRecorder``), or one of a real process.
/// Each call belongs to a client, and may come from that client's own thread.
package protocol ScriptStage: AnyObject {
    /// A take that is open.
    associatedtype Open

    /// False when it was not acknowledged.
    @discardableResult
    func put(_ client: Int, _ count: Int, bytes: Int, bookmark: Bool, shared: Bool, stamped: Bool) -> Bool
    func retryUnknown(_ client: Int)
    func repeatLast(_ client: Int)
    func bookmark(_ client: Int)

    func take(_ most: Int, waitingUpTo wait: Duration) -> Open
    func eventCount(_ take: Open) -> Int
    /// False when it was not acknowledged.
    @discardableResult
    func commit(_ take: Open, deadLetters: Int, bookmark client: Int?) -> Bool
    func rollback(_ take: Open)

    func checkpoint()
    func synchronize()
    func resize(bytes: UInt64)
    func resize(events: UInt64?)
    func jumpWallClock(milliseconds: Int)
    func intrude()
    func yield()
    func sleep(milliseconds: Int)
}
