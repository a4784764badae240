// swift-tools-version: 6.2
import PackageDescription

// Fuzz targets, apart from the package so that it never needs a fuzzer. Build and run them with tools/fuzz.
//
// A fuzz target has no main of its own: it exports LLVMFuzzerTestOneInput, and libFuzzer brings the main.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
]

let package = Package(
    name: "sluice-fuzz",
    dependencies: [.package(name: "sluice", path: "..")],
    targets: [
        .executableTarget(
            name: "FuzzFrame", dependencies: [.product(name: "LogFormat", package: "sluice")],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]),
        .executableTarget(
            name: "SeedCorpus", dependencies: [.product(name: "LogFormat", package: "sluice")],
            swiftSettings: settings),
    ]
)
