/// A variable of a class whose owner makes accesses exclusive: by a ``Lock``, or by being used by one thread at a time.
///
/// A stored property of a class is checked for that with each access as the program runs, which took an eighth of a
/// commit's instructions. What is kept here is not. So a change must not come by the same variable again on its own thread,
/// in a callback: nobody would notice.
@safe public struct Guarded<Value>: ~Copyable {
    @usableFromInline let place: UnsafeMutablePointer<Value>

    @inlinable public init(_ value: consuming Value) {
        unsafe place = .allocate(capacity: 1)
        unsafe place.initialize(to: value)
    }

    @inlinable deinit {
        unsafe place.deinitialize(count: 1)
        unsafe place.deallocate()
    }

    @inlinable public var value: Value {
        _read { yield unsafe place.pointee }
        nonmutating _modify { yield unsafe &place.pointee }
    }
}
