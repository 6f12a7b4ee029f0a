"""What things are: money, tax ids, Pix keys, identifiers. Pure; nothing here does I/O."""
