"""What people who only came to chat are spared: settings, flags, addresses, protocols, and other programs' words."""

import re

from internvl_demo.errors import DemoError

FOR_HOSTS = re.compile(
    r"--\w|INTERNVL_|://|\bHTTP\b|\b[45]\d\d\b|\blog\b|endpoint|proxy|chunk|payload|/health|\{"
)


def assert_for_people(error: DemoError, *foreign: str) -> None:
    """Both sentences are plain; of other programs' words in the details none stands in them."""
    for sentence in (error.what, error.next_step):
        assert sentence.endswith(".") and not FOR_HOSTS.search(sentence), sentence
        assert not any(words in sentence for words in foreign), sentence
