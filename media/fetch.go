package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

const (
	fetchTimeout = 15 * time.Second // of a whole fetch, redirects included
	maxSize      = 25 << 20
	maxRedirects = 3
)

// extensions are the types that are kept and served, with how the names of their files end. No SVG
// and no HTML: both can carry scripts, and neither is ever recognised as one of these.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/avif": ".avif",
	"application/pdf": ".pdf",
}

// Extension is how the name of a file of this type ends.
func Extension(mimeType string) string { return extensions[mimeType] }

// typeOf recognises a file by its first bytes; what its server or its name call it counts for nothing.
func typeOf(content []byte) (mimeType string, ok bool) {
	mimeType = http.DetectContentType(content)
	if len(content) >= 12 && string(content[4:8]) == "ftyp" && bytes.HasPrefix(content[8:], []byte("avi")) { // avif, or avis: an animation
		mimeType = "image/avif"
	}
	_, ok = extensions[mimeType]
	return mimeType, ok
}

var errRefused = errors.New("a redirect leads where media are not fetched from")

func (s *Service) checkRedirect(to *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || to.URL.Host != via[0].URL.Host || !rest.IsMediaURL(to.URL.String(), s.allowPrivate) {
		return errRefused
	}
	return nil
}

// fetch reads a medium from where the CRM has it. An error that is not Unavailable stands until the
// CRM names another URL. None holds the URL: it may be signed, and so a secret.
func (s *Service) fetch(ctx context.Context, rawURL string) (content []byte, mimeType string, err error) {
	if !rest.IsMediaURL(rawURL, s.allowPrivate) {
		return nil, "", sparki.Errorf(sparki.Rejected, "media are not fetched from such a URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, "", sparki.Errorf(sparki.Rejected, "media are not fetched from such a URL")
	}
	req.Header.Set("Accept", "image/avif,image/webp,image/*,application/pdf")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, "", broken(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", rest.StatusError("the host of the medium", resp)
	}
	tooLarge := sparki.Errorf(sparki.Rejected, "the medium is larger than %d MiB", maxSize>>20)
	if resp.ContentLength > maxSize {
		return nil, "", tooLarge
	}
	content, err = io.ReadAll(io.LimitReader(resp.Body, maxSize+1))
	switch {
	case err != nil:
		return nil, "", broken(ctx, err)
	case len(content) > maxSize:
		return nil, "", tooLarge
	}
	mimeType, ok := typeOf(content)
	if !ok {
		return nil, "", sparki.Errorf(sparki.Rejected, "the medium is no picture and no PDF but %s", mimeType)
	}
	return content, mimeType, nil
}

// broken is the error for a fetch that got no whole answer. net/http's own errors quote the URL.
func broken(ctx context.Context, err error) error {
	timeout, _ := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("fetch a medium: %w", ctx.Err())
	case errors.Is(err, errRefused):
		return sparki.Errorf(sparki.Rejected, "media are not fetched from such a URL")
	case errors.Is(err, rest.ErrForbiddenAddress):
		return sparki.Errorf(sparki.Rejected, "media are not fetched from an address inside a network")
	case timeout != nil && timeout.Timeout():
		return sparki.Errorf(sparki.Unavailable, "the host of the medium does not answer in time")
	default:
		return sparki.Errorf(sparki.Unavailable, "the host of the medium cannot be reached, or broke off")
	}
}
