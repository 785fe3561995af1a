package sparki

import "log/slog"

// Secret is a value that must never be shown: it prints as *** in fmt, JSON and slog alike.
type Secret string

const masked = "***"

// Reveal gives the value itself, for the one place that sends or verifies with it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string               { return masked }
func (s Secret) GoString() string             { return masked }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(masked) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }
