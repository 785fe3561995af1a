package sparki

import "testing"

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Decimal{
		"425000": "425000.00", "425000.5": "425000.50", "0.005": "0.01", "1e3": "1000.00", "-1": "-1.00", "0": "0.00", "999999999999": "999999999999.00",
		"": "", "veel": "", "NaN": "", "Inf": "", "1/3": "", "0x10": "", "0b1": "", "1_000": "", "1p4": "", "1e400": "", "1e-400": "", " 5": "", "5 ": "", "1,5": "",
		"9999999999999": "", "0.0000000000000000000000001": "", "--1": "", ".": "", "e5": "", "1e_1": "",
	} {
		if got, ok := ParseDecimal(in); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v, want %q", in, got, ok, want)
		}
	}
}
