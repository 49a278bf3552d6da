"""A labelled table of texts: what the privacy guard must find, and what only looks like it."""

from __future__ import annotations

import time

import pytest

from functions.capture.personal_data import found, hint_of, is_card

BASIC = "Basic amFuZTpodW50ZXIy"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----"
AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"

# The text, and what is found in it: kind and words, in order.
POSITIVE: list[tuple[str, list[tuple[str, str]]]] = [
    ("jane@example.com", [("email", "jane@example.com")]),
    ("Jane.Doe+shop@mail.example.co.uk", [("email", "Jane.Doe+shop@mail.example.co.uk")]),
    ("write to jane@example.com.", [("email", "jane@example.com")]),
    ("Jane <jane@example.com>, Bob <bob@example.org>", [("email", "jane@example.com"), ("email", "bob@example.org")]),
    ("mailto:jane@example.com?subject=hi", [("email", "jane@example.com")]),
    ("https://x.example/?email=jane%40example.com&b=1", [("email", "jane%40example.com")]),
    ("https://x.example/?next=%2Fin%3Femail%3Djane%40example.com%26b%3D1", [("email", "jane%40example.com")]),
    ("https://x.example/?u=%253Fjane%2540example.com", [("email", "jane%2540example.com")]),
    ("https://x.example/?email=jane%2Bshop%40example.com", [("email", "jane%2Bshop%40example.com")]),
    ("https://x.example/?email=jane@example.com#top", [("email", "jane@example.com")]),
    ("o'brien@example.ie", [("email", "o'brien@example.ie")]),
    ("'jane@example.com'", [("email", "jane@example.com'"[:-1])]),
    ('{"to":"jane@example.com"}', [("email", "jane@example.com")]),
    ("jörg@müller.example", [("email", "jörg@müller.example")]),
    ("jane@xn--mller-kva.example", [("email", "jane@xn--mller-kva.example")]),
    ("a@b.co", [("email", "a@b.co")]),
    ("jane_doe@example.museum", [("email", "jane_doe@example.museum")]),
    ("user:jane@example.com", [("email", "jane@example.com")]),
    ("123456@example.com", [("email", "123456@example.com")]),
    ("jane@sub-domain.example-shop.com", [("email", "jane@sub-domain.example-shop.com")]),
    ("contact=jane@example.com;phone=+442079460958", [("email", "jane@example.com"), ("phone", "+442079460958")]),
    ("+442079460958", [("phone", "+442079460958")]),
    ("+44 20 7946 0958", [("phone", "+44 20 7946 0958")]),
    ("+44 (0)20 7946 0958", [("phone", "+44 (0)20 7946 0958")]),
    ("+1 (415) 555-2671", [("phone", "+1 (415) 555-2671")]),
    ("+1-415-555-2671", [("phone", "+1-415-555-2671")]),
    ("+49 171 1234567", [("phone", "+49 171 1234567")]),
    ("+49/171/1234567", [("phone", "+49/171/1234567")]),
    ("call +33 1 42 68 53 00 today", [("phone", "+33 1 42 68 53 00")]),
    ("+41.44.668.18.00", [("phone", "+41.44.668.18.00")]),
    ("(415) 555-2671", [("phone", "(415) 555-2671")]),
    ("415-555-2671", [("phone", "415-555-2671")]),
    ("415.555.2671", [("phone", "415.555.2671")]),
    ("call 415 555 2671", [("phone", "415 555 2671")]),
    ("1-415-555-2671", [("phone", "1-415-555-2671")]),
    ("020 7946 0958", [("phone", "020 7946 0958")]),
    ("(020) 7946 0958", [("phone", "(020) 7946 0958")]),
    ("0171 1234567", [("phone", "0171 1234567")]),
    ("030/12345678", [("phone", "030/12345678")]),
    ("01 42 68 53 00", [("phone", "01 42 68 53 00")]),
    ("tel:02079460958", [("phone", "02079460958")]),
    ("tel:+442079460958", [("phone", "+442079460958")]),
    ("https://x.example/?phone=%2B442079460958", [("phone", "%2B442079460958")]),
    ("my number: +919876543210.", [("phone", "+919876543210")]),
    ("4111111111111111", [("card", "4111111111111111")]),
    ("4111 1111 1111 1111", [("card", "4111 1111 1111 1111")]),
    ("4111-1111-1111-1111", [("card", "4111-1111-1111-1111")]),
    ("5555555555554444", [("card", "5555555555554444")]),
    ("2223003122003222", [("card", "2223003122003222")]),
    ("378282246310005", [("card", "378282246310005")]),
    ("3782 822463 10005", [("card", "3782 822463 10005")]),
    ("30569309025904", [("card", "30569309025904")]),
    ("6011111111111117", [("card", "6011111111111117")]),
    ("3530111333300000", [("card", "3530111333300000")]),
    ("6200000000000005", [("card", "6200000000000005")]),
    ("4222222222222", [("card", "4222222222222")]),
    ("card: 4242424242424242, thanks", [("card", "4242424242424242")]),
    ("paid with 4242 4242 4242 4242.", [("card", "4242 4242 4242 4242")]),
    ("?card=4242424242424242&x=1", [("card", "4242424242424242")]),
    ("DE89370400440532013000", [("iban", "DE89370400440532013000")]),
    ("DE89 3704 0044 0532 0130 00", [("iban", "DE89 3704 0044 0532 0130 00")]),
    ("de89370400440532013000", [("iban", "de89370400440532013000")]),
    ("GB82 WEST 1234 5698 7654 32", [("iban", "GB82 WEST 1234 5698 7654 32")]),
    ("GB82WEST12345698765432", [("iban", "GB82WEST12345698765432")]),
    ("FR1420041010050500013M02606", [("iban", "FR1420041010050500013M02606")]),
    ("NO9386011117947", [("iban", "NO9386011117947")]),
    ("NL91ABNA0417164300", [("iban", "NL91ABNA0417164300")]),
    ("my IBAN is DE89 3704 0044 0532 0130 00 and then some", [("iban", "DE89 3704 0044 0532 0130 00")]),
    ("IBAN:CH9300762011623852957;", [("iban", "CH9300762011623852957")]),
    ("MT84MALT011000012345MTLCAST001S", [("iban", "MT84MALT011000012345MTLCAST001S")]),
    ("203.0.113.7", [("ip", "203.0.113.7")]),
    ("from 203.0.113.7:443", [("ip", "203.0.113.7")]),
    ("http://203.0.113.7/path", [("ip", "203.0.113.7")]),
    ("198.51.100.1, 203.0.113.9", [("ip", "198.51.100.1"), ("ip", "203.0.113.9")]),
    ("192.168.1.20", [("ip", "192.168.1.20")]),
    ("10.0.0.0/8", [("ip", "10.0.0.0")]),
    ("host=8.8.8.8", [("ip", "8.8.8.8")]),
    ("2001:db8:85a3::8a2e:370:7334", [("ip", "2001:db8:85a3::8a2e:370:7334")]),
    ("[2001:db8::1]:443", [("ip", "2001:db8::1")]),
    ("fe80::1ff:fe23:4567:890a", [("ip", "fe80::1ff:fe23:4567:890a")]),
    ("2a00:1450:4001:0800:0000:0000:0000:200e", [("ip", "2a00:1450:4001:0800:0000:0000:0000:200e")]),
    ("::ffff:203.0.113.7", [("ip", "203.0.113.7")]),
    ("phx_nobodys0123456789", [("secret", "phx_nobodys0123456789")]),
    ("key phs_AbCdEf0123456789 here", [("secret", "phs_AbCdEf0123456789")]),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", [("secret", "sk_live_4eC39HqLyjWDarjtT1zdp7dc")]),
    ("rk_test_4eC39HqLyjWDarjtT1zdp7dc", [("secret", "rk_test_4eC39HqLyjWDarjtT1zdp7dc")]),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", [("secret", "ghp_16C7e42F292c6912E7710c838347Ae178B4a")]),
    ("github_pat_11ABCDEFG0123456789_abcdefghij", [("secret", "github_pat_11ABCDEFG0123456789_abcdefghij")]),
    ("glpat-Abcdef0123456789xyz1", [("secret", "glpat-Abcdef0123456789xyz1")]),
    ("xoxb-123456789012-abcdefABCDEF", [("secret", "xoxb-123456789012-abcdefABCDEF")]),
    ("AKIAIOSFODNN7EXAMPLE", [("secret", "AKIAIOSFODNN7EXAMPLE")]),
    ("aws AKIAIOSFODNN7EXAMPLE, east", [("secret", "AKIAIOSFODNN7EXAMPLE")]),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", [("secret", "AIzaSyA1234567890abcdefghijklmnopqrstuv")]),
    ("sk-proj-abcDEF0123456789abcDEF01", [("secret", "sk-proj-abcDEF0123456789abcDEF01")]),
    ("npm_0123456789abcdefghijABCDEFGHIJ012345", [("secret", "npm_0123456789abcdefghijABCDEFGHIJ012345")]),
    (JWT, [("secret", JWT)]),
    (f"Bearer {JWT}", [("secret", JWT)]),
    ("Authorization: Bearer abcdef0123456789abcdef", [("secret", "abcdef0123456789abcdef")]),
    (BASIC, [("secret", BASIC.removeprefix("Basic "))]),
    (PEM, [("secret", PEM)]),
    ("https://bob:hunter2@example.com/x", [("secret", "bob:hunter2")]),
    ("postgres://app:s3cret@db.internal:5432/x", [("secret", "app:s3cret")]),
    ("https://x.example/cb?access_token=abc123def456", [("secret", "abc123def456")]),
    ("https://x.example/reset?lang=en&token=9f8e7d6c5b4a", [("secret", "9f8e7d6c5b4a")]),
    ("hdg_0123456789abcdef01234567_abcdefghijklmnop", [("secret", "hdg_0123456789abcdef01234567_abcdefghijklmnop")]),
]

NEGATIVE = [
    "",
    "pro",
    "payment.completed",
    "user@localhost",
    "@jane",
    "@jane@mastodon.social",
    "logo@2x.png",
    "icon@3x.webp",
    "render@app.min.js:2:33",
    "https://abc123@o12.ingest.example.io/1",
    "node_modules/@types/node@18.1.0",
    "react@18.2.0",
    "fn@https://shop.example.com/app.js:10:4",
    "meet @ 5pm",
    "50% @ 20.5",
    "price@",
    "a%40",
    "0196f3a2-1b2c-7d3e-8f40-123456789012",
    "12345678-1234-4123-8123-123456789012",
    "41111111-1111-4111-8111-111111111111",
    "550e8400-e29b-41d4-a716-446655440000",
    "order 550e8400-e29b-41d4-a716-446655440000 shipped",
    "550e8400e29b41d4a716446655440000",
    "1700000000000",
    "1763652600123",
    "1763652600",
    "1763652600123456",
    "1763652600123456789",
    "1700000000.123",
    "2026-11-20T15:30:00.123456Z",
    "2026-11-20T15:30:00+02:00",
    "2026-11-20 15:30:00+0200",
    "2026-11-20",
    "20.11.2026 15:30",
    "05-06-2024 12:30",
    "05/06/2024",
    "20261120153000",
    "20261120-153000-0042",
    "ORD-20261120-000123",
    "ord_18273645",
    "ord_4111111111111111",
    "INV-2026-0001234",
    "#1029384756",
    "4155552671",
    "02079460958",
    "1234567890",
    "1,234,567.89",
    "1.234.567,89",
    "12 345 678",
    "1 234 567 890",
    "€ 1 299 000,00",
    "+1500000",
    "+12.5%",
    "+1234567.50",
    "a+4420794609581",
    "q=shoes+20240501123",
    "0.4111111111111111",
    "4111111111111111.5",
    "3.141592653589793",
    "-122.4194155",
    "37.7749295,-122.4194155",
    "123-45-6789",
    "978-0-306-40615-7",
    "0-306-40615-2",
    "4111111111111112",
    "5555555555554445",
    "9999999999999995",
    "1234567812345670",
    "0000000000000000",
    "41111111111111111111111",
    "4111 11111111 1111",
    "102938475610293",
    "17841400008460056",
    "DE89370400440532013001",
    "XX89370400440532013000",
    "DE12345678",
    "GB82WEST1234569876543",
    "US12ABCD3456EFGH7890",
    "SKU-DE89-3704-0044",
    "NO1234567890123",
    "1.2.3",
    "v1.2.3.4",
    "version 1.2.3.4",
    "Version: 10.0.19045.1",
    "1.2.3.4.5",
    "1.2.3.4-beta",
    "256.1.1.1",
    "10.0.19045.4046",
    "127.0.0.1",
    "0.0.0.0",
    "pkg-1.2.3.4",
    "Chrome/120.0.0.0",
    AGENT,
    "10:00:00",
    "2024:05:01 10:00:00",
    "aa:bb:cc:dd:ee:ff",
    "20:bb:cc:dd:ee:ff",
    "std::vector<int>::iterator",
    "a::before",
    "dead::beef",
    "::1",
    "::",
    "key:value:other",
    "arn:aws:s3:::bucket",
    "urn:isbn:0451450523",
    "phc_abcdefghijklmnopqrstuvwxyz0123456789",
    "sk-folding-cube-loading-animation",
    "task-force-of-the-best-sort",
    "Bearer of bad news",
    "bearer responsibilities of all",
    "Basic understanding",
    "Basic plan",
    "token=phc_abcdef0123456789",
    "https://x.example/?token=",
    "https://x.example/?password=forgotten",
    "https://shop.example.com/checkout/step-2?ref=newsletter&utm_campaign=spring",
    "https://shop.example.com:8443/p/123456/reviews?page=12",
    "https://x.example/p/2026/11/20/article-12345",
    "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ=",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "M0 0L10.5 20.3C1.2 3.4 5.6 7.8 9.1 10.2Z",
    "rgba(255, 255, 255, 0.5)",
    "translate3d(100px, 200px, 0)",
    "1920x1080",
    "Intel Mac OS X 10_15_7",
    "hashed_0123456789abcdef01234567",
    "j•••@•••",
    "•••• 1111",
]


def seen(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in found(text)]


def test_the_table_is_long_enough() -> None:
    assert len(POSITIVE) + len(NEGATIVE) >= 150
    assert len({text for text, _ in POSITIVE} | set(NEGATIVE)) == len(POSITIVE) + len(NEGATIVE)


@pytest.mark.parametrize(("text", "wanted"), POSITIVE)
def test_personal_data_is_found_to_the_letter(text: str, wanted: list[tuple[str, str]]) -> None:
    assert seen(text) == wanted


@pytest.mark.parametrize(("text", "wanted"), POSITIVE)
def test_personal_data_is_found_inside_a_sentence(text: str, wanted: list[tuple[str, str]]) -> None:
    assert seen(f"note from today: {text} (as said)") == wanted


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_like_personal_data_is_left(text: str) -> None:
    assert seen(text) == []


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("phone", "4155552671", "phone"),
        ("phoneNumber", "02079460958", "phone"),
        ("customer_mobile", "0171-1234567", "phone"),
        ("phone", "not given", None),
        ("iphone_serial", "4155552671", None),
        ("mobile_revenue", "4155552671", None),
        ("phone_id", "4155552671", None),
        ("app_version", "1.2.3.4", None),
        ("$browser_version", "120.0.0.0", None),
        ("firmware", "10.11.12.13", None),
        ("client", "10.11.12.13", "ip"),
        ("version_note", "ask jane@example.com", "email"),
        ("password", "hunter2", "secret"),
        ("clientSecret", "abcdefgh", "secret"),
        ("authorization", "Bearer abcdefgh", "secret"),
        ("password", "[REDACTED]", None),
        ("password", "********", None),
        ("password", "must be changed", None),
        ("password_strength", "strong", None),
        ("api_key", "phc_abcdef0123456789", None),
    ],
)
def test_a_propertys_name_is_heard(name: str, text: str, kind: str | None) -> None:
    assert [each.kind for each in found(text, hint_of(name))] == ([] if kind is None else [kind])


@pytest.mark.parametrize("number", [4111111111111111, 378282246310005, 6011111111111117])
def test_numbers_of_cards_are_recognised(number: int) -> None:
    assert is_card(number)


@pytest.mark.parametrize("number", [0, -4111111111111111, 1763652600123, 1763652600123456, 4111111111111112, 2**63])
def test_other_numbers_are_not(number: int) -> None:
    assert not is_card(number)


@pytest.mark.parametrize(
    "letter", ["a", "0", "@", "%40", "=", ".", ":", "+", "DE89 ", "eyJ", "-", "1.", "://a:", "0 12"]
)
def test_a_megabyte_of_one_letter_is_walked_through_in_seconds(letter: str) -> None:
    text = letter * (1_000_000 // len(letter))
    began = time.perf_counter()
    found(text)
    assert time.perf_counter() - began < 10
