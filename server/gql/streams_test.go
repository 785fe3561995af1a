package gql

import (
	"testing"
	"time"
)

type idleStream struct{ _ int } // not of size zero, so that each is another

func (*idleStream) ping()             {}
func (*idleStream) close(int, string) {}
func (*idleStream) abort()            {}

// What a wave of handshakes took is given back once, when no more come.
func TestWaveIsGivenBack(t *testing.T) {
	t.Parallel()
	limits := Limits{}.withDefaults()
	s := newStreams(&limits, nil, nil)
	s.beating = true // we are the beat
	given := make(chan struct{}, 10)
	s.giveBack = func() { given <- struct{}{} }
	beat := func(opened int) {
		for range opened {
			s.add(&idleStream{})
		}
		s.beatOnce(time.Now())
	}
	beat(wave - 1)
	beat(0)
	beat(1) // enough by now, and still coming
	if len(given) > 0 {
		t.Error("memory was given back while streams were opened")
	}
	beat(0)
	select {
	case <-given:
	case <-time.After(10 * time.Second):
		t.Error("no memory was given back")
	}
	beat(0)
	beat(wave / 2)
	beat(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(given) > 0 || s.opened != wave/2 {
		t.Errorf("it was given back %d times more", len(given))
	}
}
