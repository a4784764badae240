import FileIO
import Glibc
import Testing

@Suite struct FileErrorTests {
    @Test func numbersBecomeReasons() {
        let expected: [(Int32, FileError.Reason)] = [
            (ENOSPC, .noSpace), (EDQUOT, .noSpace), (EFBIG, .noSpace), (EMFILE, .outOfResources),
            (ENFILE, .outOfResources), (ENOMEM, .outOfResources), (EACCES, .notPermitted), (EROFS, .notPermitted),
            (ENOENT, .notFound), (EEXIST, .exists), (ELOOP, .wrongKind), (ENOTDIR, .wrongKind), (ENXIO, .wrongKind),
            (EINVAL, .unsupported), (EIO, .inputOutput), (EBADF, .inputOutput),
        ]
        for (errno, reason) in expected { #expect(FileError(.open, path: "p", errno: errno).reason == reason) }
        #expect(FileError(.open, path: "p", errno: EISDIR).reason == .wrongKind)
        #expect(FileError(.rename, path: "p", errno: EISDIR).reason == .exists)
    }

    @Test func theDescriptionSaysWhatWhereWhyAndWhatToDo() {
        #expect(
            FileError(.prewrite, path: "/data/1.seg", errno: ENOSPC).description
                == "prewrite of /data/1.seg failed: No space left on device (errno 28); "
                + "free space on the file system, or raise the quota or the file size limit")
        #expect(
            FileError(.write, path: "/data/1.seg", errno: 0, reason: .noProgress).description
                .hasPrefix("write of /data/1.seg failed: noProgress; check the device"))
    }

    @Test func everyReasonHasARemedy() {
        for reason in FileError.Reason.allCases {
            #expect(!FileError(.read, path: "p", errno: 0, reason: reason).remedy.isEmpty)
        }
    }
}
