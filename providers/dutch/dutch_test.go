package dutch_test

import (
	"math"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
)

func TestPlaceName(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"": "", "BUNNIK": "Bunnik", "TULL EN 'T WAAL": "Tull en 't Waal", "'s-GRAVENHAGE": "'s-Gravenhage", "'S-GRAVENHAGE": "'s-Gravenhage",
		"’S-HERTOGENBOSCH": "’s-Hertogenbosch", "'T HARDE": "'t Harde", "WIJK BIJ DUURSTEDE": "Wijk bij Duurstede", "IJSSELSTEIN": "IJsselstein",
		"CAPELLE AAN DEN IJSSEL": "Capelle aan den IJssel", "KRIMPEN A/D IJSSEL": "Krimpen a/d IJssel", "DEN HAAG": "Den Haag", "DE BILT": "De Bilt",
		"BERGEN OP ZOOM": "Bergen op Zoom", "NOORD-SCHARWOUDE": "Noord-Scharwoude", "HENDRIK-IDO-AMBACHT": "Hendrik-Ido-Ambacht",
		"HEIST-OP-DEN-BERG": "Heist-op-den-Berg", "SINT-OEDENRODE": "Sint-Oedenrode", "2E EXLOËRMOND": "2e Exloërmond", "ÉÉN": "Één",
		"ROSSUM (GLD)": "Rossum (Gld)", "Den Haag": "Den Haag", "'s-Gravenhage": "'s-Gravenhage", "IJmuiden": "IJmuiden", "bunnik": "bunnik",
		"ALPHEN AAN DEN RIJN": "Alphen aan den Rijn", "  ": "  ", "-": "-",
	}
	for name, want := range tests {
		if got := dutch.PlaceName(name); got != want {
			t.Errorf("PlaceName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestAddressParts(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"1234ab": "1234 AB", "1234  AB": "1234 AB", "1234 AB": "1234 AB", "0123 AB": "0123 AB", "B-9000": "B-9000", "": ""} {
		if got := dutch.PostalCode(code); got != want {
			t.Errorf("PostalCode(%q) = %q, want %q", code, got, want)
		}
	}
	for number, want := range map[[2]string]string{{"14", "A"}: "14A", {"203", "2"}: "203-2", {"7", ""}: "7", {"", "2"}: "2", {"", ""}: ""} {
		if got := dutch.HouseNumber(number[0], number[1]); got != want {
			t.Errorf("HouseNumber(%q) = %q, want %q", number, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{0: "0", 34.5: "34,5", 999: "999", 1260: "1.260", 1234567.891: "1.234.567,89"} {
		if got := dutch.Number(n); got != want {
			t.Errorf("Number(%v) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[sparki.Decimal]string{"585000.00": "€ 585.000", "1395.50": "€ 1.395,50", "9.00": "€ 9"} {
		if got := dutch.Euros(d); got != want {
			t.Errorf("Euros(%s) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[float64]string{-1: "", 0: "", 0.001: "", 0.01: "0,01", 124.5: "124,5", 100_000_000: "100.000.000", 1e9: "", math.Inf(1): ""} {
		if got := dutch.Size(n); got != want {
			t.Errorf("Size(%v) = %q, want %q", n, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for at, want := range map[string][2]string{
		"2026-03-31T21:59:00Z": {"31 maart 2026", "maart 2026"}, "2026-03-31T22:00:00Z": {"1 april 2026", "april 2026"},
		"2026-12-31T23:00:00Z": {"1 januari 2027", "januari 2027"},
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{dutch.Date(moment), dutch.Month(moment)}; got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
}

func TestPriceOf(t *testing.T) {
	t.Parallel()
	low, high := sparki.Decimal("900.00"), sparki.Decimal("450000.00")
	sale, rent := dutch.Offer{Amount: &high, Label: "€ 450.000 k.k."}, dutch.Offer{Amount: &low, Label: "€ 900 p.m."}
	hidden := dutch.Offer{Label: dutch.OnRequest, Instead: true}
	for _, test := range []struct {
		offers []dutch.Offer
		amount *sparki.Decimal
		label  string // "" for no price
	}{
		{nil, nil, ""},
		{[]dutch.Offer{{}, {}}, nil, ""},
		{[]dutch.Offer{sale, rent}, &high, "€ 450.000 k.k. of € 900 p.m."},
		{[]dutch.Offer{{}, rent}, &low, "€ 900 p.m."},
		{[]dutch.Offer{hidden, rent}, &low, "Prijs op aanvraag of € 900 p.m."},
		{[]dutch.Offer{hidden, hidden}, nil, "Prijs op aanvraag"},
	} {
		p := dutch.PriceOf(test.offers...)
		if p == nil {
			p = &sparki.Price{Currency: "EUR"}
		}
		if p.Amount != test.amount || p.Label != test.label || p.Currency != "EUR" {
			t.Errorf("%+v: %+v, want %v %q", test.offers, p, test.amount, test.label)
		}
	}
	if p := dutch.PriceOf(); p != nil {
		t.Errorf("no offers: %+v", p)
	}
}
