// `import DurableChannel` is all that a user needs: what the channel's interface speaks of comes with it. The attribute is
// underscored, and the only one that lets one module's names stand for several; typealiases would not bring the members.
@_exported public import FileIO
@_exported public import LogFormat
@_exported public import SegmentedLog
