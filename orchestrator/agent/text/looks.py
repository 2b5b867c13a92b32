"""How a text looks to whoever doesn't read it sign by sign: width, style and the alphabet don't count; pure.

`alike` gives `Repo` for that word in fullwidth or in Cyrillic letters, `bare` gives `repo` for `Re_po` too.
"""

import re
import unicodedata
from typing import Final

# Whole letters after https://www.unicode.org/Public/security/latest/confusables.txt, each with the Latin one.
_CYRILLIC: Final = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u043c"
    "\u0442\u0432\u043d\u043a\u0410\u0415\u041e\u0420\u0421\u0423\u0425\u0406\u0408\u0405\u041c"
    "\u0422\u0412\u041d\u041a\u051a\u051c"
    "\u044c\u042c\u0431"
)
_FOR_CYRILLIC: Final = "aeopcyxijshdqwmtbhkAEOPCYXIJSMTBHKQWbbb"
_GREEK: Final = (
    "\u03bf\u03b1\u03bd\u03c1\u03b9\u03ba\u03c5\u03c4\u03c7\u03b5\u03f2\u03f3\u039f\u0391\u0392"
    "\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u03a1\u03a4\u03a5\u03a7\u03f9\u037f"
)
_FOR_GREEK: Final = "oavpikutxecjOABEZHIKMNPTYXCJ"
_ARMENIAN: Final = "\u0585\u057d\u0581\u0570\u0578\u0555\u054d"
_FOR_ARMENIAN: Final = "ougnnOU"
_LATIN: Final = "\u0131\u0237\u0261\u0251\u017f"
_FOR_LATIN: Final = "ijgas"
_ALIKE: Final = str.maketrans(
    _CYRILLIC + _GREEK + _ARMENIAN + _LATIN,
    _FOR_CYRILLIC + _FOR_GREEK + _FOR_ARMENIAN + _FOR_LATIN,
)
_BETWEEN: Final = re.compile(r"[\W_]+")


def alike(text: str) -> str:
    """The same text in the Latin letters that it looks like."""
    return unicodedata.normalize("NFKC", text).translate(_ALIKE)


def bare(text: str) -> str:
    """Only letters and digits, in one case: whatever stands between them separates nothing."""
    return _BETWEEN.sub("", alike(text)).lower()
