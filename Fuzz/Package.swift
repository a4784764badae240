// swift-tools-version: 6.2
import PackageDescription

// Fuzz targets, apart from the package so that it never needs a fuzzer. Build and run them with tools/fuzz.
//
// What an input means and what is checked of it is in two libraries: DecoderInputs, of bytes given to the format's decoders,
// and ChannelInputs, of directories and scripts given to the whole channel. The package's tests share them by links to their
// files (and ChannelInputs has links to what is common to both), so that what failed once is replayed by the same code. A fuzz
// target has no main of its own: it exports LLVMFuzzerTestOneInput, and libFuzzer brings the main.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func product(_ name: String) -> Target.Dependency { .product(name: name, package: "sluice") }

func fuzzer(_ name: String, _ inputs: Target.Dependency) -> Target {
    .executableTarget(
        name: name, dependencies: [inputs], swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
}

let engine = ["LogFormat", "FileIO", "SimulatedFileIO", "DurableChannel", "CrashHarness"].map(product)

let package = Package(
    name: "sluice-fuzz",
    dependencies: [.package(name: "sluice", path: "..")],
    targets: [
        .target(name: "DecoderInputs", dependencies: [product("LogFormat")], swiftSettings: settings),
        .target(name: "ChannelInputs", dependencies: engine, swiftSettings: settings),
        fuzzer("FuzzFrame", "DecoderInputs"),
        fuzzer("FuzzIdentity", "DecoderInputs"),
        fuzzer("FuzzSnapshot", "DecoderInputs"),
        fuzzer("FuzzCheckpoint", "DecoderInputs"),
        fuzzer("FuzzDirectory", "ChannelInputs"),
        fuzzer("FuzzScript", "ChannelInputs"),
        .executableTarget(
            name: "SeedCorpus", dependencies: ["DecoderInputs", "ChannelInputs"] + engine, swiftSettings: settings),
        .executableTarget(name: "ShowInput", dependencies: ["ChannelInputs"], swiftSettings: settings),
    ]
)
