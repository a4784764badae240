@main
struct Walbench {
    static func main() {}
}
