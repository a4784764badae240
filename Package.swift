// swift-tools-version: 6.2
import PackageDescription

// A plain `swift build` needs liblz4 (Debian: liblz4-dev) and nothing else. Whatever needs more will sit in targets
// behind package traits that are off by default.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Tests are built without optimization when `tools/test` asks for it, in a release build, too: what they call is optimized,
/// and that is what takes the time; optimizing themselves would take minutes.
let tests =
    Context.environment["SLUICE_PLAIN_TESTS"] == nil ? strict : strict + [.unsafeFlags(["-Onone"])]

/// For targets that do not know the format otherwise: the names of planted bugs stand in it.
let plantedBugs = Target.Dependency.byName(name: "LogFormat", condition: .when(traits: ["PlantedBugs"]))

let package = Package(
    name: "sluice",
    products: [
        .library(name: "LogFormat", targets: ["LogFormat"]),
        .library(name: "FileIO", targets: ["FileIO"]),
        .library(name: "SimulatedFileIO", targets: ["SimulatedFileIO"]),
        .library(name: "SegmentedLog", targets: ["SegmentedLog"]),
        .library(name: "DurableChannel", targets: ["DurableChannel"]),
        .library(name: "LineTransfer", targets: ["LineTransfer"]),
        .library(name: "Inspection", targets: ["Inspection"]),
        .library(name: "CrashHarness", targets: ["CrashHarness"]),
        .library(name: "ProcessHarness", targets: ["ProcessHarness"]),
        .executable(name: "sluice", targets: ["sluice"]),
        .executable(name: "walctl", targets: ["walctl"]),
        .executable(name: "walbench", targets: ["walbench"]),
        .executable(name: "walcrash", targets: ["walcrash"]),
    ],
    traits: [
        .trait(
            name: "PlantedBugs",
            description:
                "Mistakes that can be switched on by name, to see whether a harness finds them. Never for production."
        ),
        .default(enabledTraits: []),
    ],
    targets: [
        // C, each behind a header of plain functions that includes <stdint.h> and <stddef.h> only.
        .target(name: "CLZ4", linkerSettings: [.linkedLibrary("lz4")]),
        .target(name: "CCRC32C"),
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),

        // The library, lowest first; each target may import only what stands here as its dependency.
        .target(name: "LogFormat", dependencies: ["CLZ4", "CCRC32C"], swiftSettings: strict),
        .target(name: "FileIO", dependencies: ["CLinux", plantedBugs], swiftSettings: strict),
        .target(name: "SimulatedFileIO", dependencies: ["FileIO", plantedBugs], swiftSettings: strict),
        .target(name: "SegmentedLog", dependencies: ["LogFormat", "FileIO"], swiftSettings: strict),
        .target(
            name: "DurableChannel", dependencies: ["SegmentedLog", "LogFormat", "FileIO"], swiftSettings: strict),

        .target(
            name: "LineTransfer", dependencies: ["DurableChannel", "LogFormat", "FileIO"], swiftSettings: strict),

        .target(
            name: "Inspection", dependencies: ["DurableChannel", "SegmentedLog", "LogFormat", "FileIO"],
            swiftSettings: strict),

        .target(
            name: "CrashHarness",
            dependencies: ["DurableChannel", "SegmentedLog", "LogFormat", "FileIO", "SimulatedFileIO"],
            swiftSettings: strict),

        .target(
            name: "ProcessHarness",
            dependencies: ["CrashHarness", "SimulatedFileIO", "DurableChannel", "LogFormat", "FileIO"],
            swiftSettings: strict),

        // Verbs, options and their help, for the commands.
        .target(name: "CommandOptions", swiftSettings: strict),
        .executableTarget(
            name: "sluice", dependencies: ["LineTransfer", "DurableChannel", "FileIO", "CommandOptions"],
            swiftSettings: strict),
        .executableTarget(
            name: "walctl",
            dependencies: ["Inspection", "DurableChannel", "SegmentedLog", "LogFormat", "FileIO", "CommandOptions"],
            swiftSettings: strict),
        .executableTarget(
            name: "walcrash",
            dependencies: ["ProcessHarness", "CrashHarness", "CommandOptions", "LogFormat", "FileIO"],
            swiftSettings: strict),
        .executableTarget(
            name: "walbench", dependencies: ["DurableChannel", "SegmentedLog", "LogFormat", "FileIO"],
            swiftSettings: strict),

        .target(name: "TestSupport", dependencies: ["FileIO"], path: "Tests/TestSupport", swiftSettings: tests),
        .testTarget(
            name: "LogFormatTests", dependencies: ["LogFormat", "TestSupport"], exclude: ["Golden"],
            swiftSettings: tests),
        .testTarget(
            name: "FileIOTests", dependencies: ["FileIO", "SimulatedFileIO", "TestSupport"], swiftSettings: tests),
        .testTarget(
            name: "SegmentedLogTests",
            dependencies: ["SegmentedLog", "LogFormat", "FileIO", "SimulatedFileIO", "TestSupport"],
            swiftSettings: tests),
        .testTarget(
            name: "DurableChannelTests",
            dependencies: [
                "DurableChannel", "SegmentedLog", "LogFormat", "FileIO", "SimulatedFileIO", "CrashHarness",
                "TestSupport",
            ], swiftSettings: tests),
        .testTarget(
            name: "CrashHarnessTests",
            dependencies: [
                "CrashHarness", "ProcessHarness", "DurableChannel", "LogFormat", "FileIO", "SimulatedFileIO",
                "TestSupport",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "LineTransferTests",
            dependencies: [
                "LineTransfer", "CrashHarness", "DurableChannel", "LogFormat", "FileIO", "SimulatedFileIO",
                "TestSupport",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "InspectionTests",
            dependencies: [
                "Inspection", "DurableChannel", "SegmentedLog", "LogFormat", "FileIO", "SimulatedFileIO",
                "CrashHarness",
                "TestSupport",
            ], swiftSettings: tests),
        .testTarget(
            name: "WalctlTests",
            dependencies: ["walctl", "DurableChannel", "LogFormat", "SimulatedFileIO", "CrashHarness", "TestSupport"],
            exclude: ["Golden", "same-frames.py"], swiftSettings: tests),
        .testTarget(name: "SluiceTests", dependencies: ["sluice", "TestSupport"], swiftSettings: tests),
    ]
)
