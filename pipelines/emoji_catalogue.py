"""The countries and the emoji of the synthetic telemetry."""

from __future__ import annotations

_CODES = (
    "US IN BR ID JP MX DE GB FR PH TR IT ES KR VN RU PK NG EG TH CA PL AR CO BD ZA AU SA UA MY "
    "NL IR PE CL RO SE BE MA KE GR PT CZ HU AT CH IL AE DK FI NO SG IE NZ HK EC GT RS HR SK BG"
)
COUNTRIES = tuple(_CODES.split())
"""ISO 3166 codes, the most frequent first."""

_BEST = (
    "😂 ❤️ 🤣 👍 😭 🙏 😘 🥰 😍 😊 🎉 😁 💕 🥺 😅 🔥 ☺️ 🤦 ♥️ 🤷 🙄 😆 🤗 😉 🎂 🤔 👏 🙂 😳 🥳 😎 👌"
)
BEST_KNOWN = tuple(_BEST.split())
"""The emoji that head the popularity in every country, before it is jittered."""

_PICTURES = (
    "1F32D-1F335 1F337-1F37C 1F37E-1F393 1F3A0-1F3CA 1F3CF-1F3D3 1F3E0-1F3F0 1F3F8-1F3FA "
    "1F400-1F43E 1F442-1F4FC 1F4FF-1F53D 1F54B-1F54E 1F550-1F567 1F5FB-1F64F 1F680-1F6C5 "
    "1F6D0-1F6D2 1F6D5-1F6D7 1F6DC-1F6DF 1F6F4-1F6FC 1F7E0-1F7EB 1F90C-1F93A 1F93C-1F945 "
    "1F947-1F9AF 1F9B4-1F9FF 1FA70-1FA7C 1FA80-1FA88 1FA90-1FABD 1FABF-1FAC5 1FACE-1FADB "
    "1FAE0-1FAE8 1FAF0-1FAF8"
)
_WITH_SKIN = (
    "1F385 1F3C2-1F3C4 1F3C7 1F3CA-1F3CC 1F442-1F443 1F446-1F450 1F466-1F469 1F46B-1F478 1F47C "
    "1F481-1F483 1F485-1F487 1F48F 1F491 1F4AA 1F57A 1F590 1F595-1F596 1F645-1F647 1F64B-1F64F "
    "1F6A3 1F6B4-1F6B6 1F6C0 1F6CC 1F90C 1F90F 1F918-1F91F 1F926 1F930-1F939 1F93D-1F93E 1F977 "
    "1F9B5-1F9B6 1F9B8-1F9B9 1F9BB 1F9CD-1F9CF 1F9D1-1F9DD 1FAC3-1FAC5 1FAF0-1FAF8"
)
_OCCUPATIONS = "🌾 🍳 🍼 🎓 🎤 🎨 🏫 🏭 💻 💼 🔧 🔬 🚀 🚒 🦰 🦱 🦲 🦳 🦯 🦼 🦽 ⚕️ ⚖️ ✈️"


def emoji_characters() -> tuple[str, ...]:
    """Returns some 2,200 fully-qualified emoji of Unicode 15, the best known first, then flags."""
    tones = [chr(tone) for tone in range(0x1F3FB, 0x1F400)]
    flags = ["".join(chr(0x1F1A5 + ord(letter)) for letter in code) for code in COUNTRIES]
    people = [person + tone for person in "👨👩🧑" for tone in ("", *tones)]
    every = [
        *BEST_KNOWN,
        *flags,
        *_characters(_PICTURES),
        *(person + tone for person in _characters(_WITH_SKIN) for tone in tones),
        *(f"{person}\u200d{tool}" for person in people for tool in _OCCUPATIONS.split()),
    ]
    return tuple(dict.fromkeys(every))


def _characters(ranges: str) -> list[str]:
    """Returns the characters of hexadecimal code points and ranges of them."""
    characters = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        characters += [chr(point) for point in range(int(first, 16), int(last or first, 16) + 1)]
    return characters
