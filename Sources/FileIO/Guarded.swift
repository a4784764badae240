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

    /// For accessors that hand on the value or a part of it, by `unsafeAddress`.
    ///
    /// Not by `_read` and `yield`: where such an accessor is not inlined, Swift 6.3 (without optimization) copies a field out of
    /// memory of the accessor's that it has given back by then, as the address sanitizer shows.
    @inlinable public var address: UnsafeMutablePointer<Value> { unsafe place }

    @inlinable public var value: Value {
        unsafeAddress { unsafe UnsafePointer(place) }
        nonmutating unsafeMutableAddress { unsafe place }
    }
}
