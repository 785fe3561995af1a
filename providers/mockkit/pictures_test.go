package mockkit

import (
	"fmt"
	"sync"
	"testing"
)

// TestPicturesAreBounded: what was drawn lately is kept, but not more than fits.
func TestPicturesAreBounded(t *testing.T) {
	t.Parallel()
	var p Pictures
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 4 {
				if _, err := p.Get(fmt.Sprint(i*4+j), func() ([]byte, error) { return make([]byte, 1<<20), nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if p.size > picturesSize || len(p.kept)<<20 != p.size {
		t.Errorf("%d bytes in %d pictures", p.size, len(p.kept))
	}
}
