package data

import "context"

// Header is what is known of a picture before it is decoded. Decode may give
// it turned, as EXIF says, and shrunk, as Options.Area says.
type Header struct {
	Format string // such as jpeg or raw RGB; empty where the Source tells nothing
	W, H   int
}

// describer is a Source that knows its pictures without decoding them.
type describer interface{ header(i int) (Header, error) }

// Header describes picture i. Its errors name the picture.
func (s *Set) Header(ctx context.Context, i int) (Header, error) {
	if d, ok := s.Source.(describer); ok {
		h, err := d.header(i)
		if err != nil {
			err = named(s.Name(i), err)
		}
		return h, err
	}
	img, err := s.Decode(ctx, i)
	return Header{W: img.W, H: img.H}, err
}

func (p *pictures) header(i int) (Header, error) {
	r, c, err := p.entries[i].open()
	if err != nil {
		return Header{}, err
	}
	defer c.Close()
	h, err := p.readHeader(r)
	return Header{h.format, h.w, h.h}, err
}

func (s *records) header(int) (Header, error) {
	if s.channels == 1 {
		return Header{"raw gray", s.w, s.h}, nil
	}
	return Header{"raw RGB", s.w, s.h}, nil
}
