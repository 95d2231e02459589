"""Whether a case held: expected and found compared, with what may differ masked."""
