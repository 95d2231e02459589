"""How results are shown: text, HTML, JUnit."""
