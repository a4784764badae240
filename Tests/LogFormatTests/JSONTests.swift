import LogFormat
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        (JSON.text("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\u000a\\u0001é\""), (.flag(true), "true"),
        (.whole(.max), "18446744073709551615"), (.number(3), "3"), (.number(-0.25), "-0.2500"),
        (.number(2.00004), "2.0000"), (.number(-0.000_01), "0.0000"), (.number(1e300), "1e+300"),
        (.list([]), "[]"), (.list([.whole(1), .text("")]), "[1, \"\"]"),
        (.object([("b", .whole(1)), ("a", .object([]))]), "{\"b\": 1, \"a\": {}}"),
    ])
    func everyValueIsRenderedOnOneLine(_ value: JSON, _ text: String) {
        #expect(value.rendered == text)
    }
}
