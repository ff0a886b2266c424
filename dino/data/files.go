package data

import "context"

// OpenFiles opens picture files by their paths, in this order and without
// classes. Those that can't be read are left out; if none is left, it gives
// ErrNoImages.
func OpenFiles(ctx context.Context, paths []string, o Options) (*Set, error) {
	entries := make([]entry, len(paths))
	for i, path := range paths {
		entries[i] = entry{name: path, path: path}
	}
	s, err := newPictures(ctx, entries, nil, nil, o.withDefaults())
	if err != nil {
		return nil, err
	}
	if s.Len() == 0 {
		s.Close()
		return nil, noImages("the files given", s.Skipped)
	}
	return s, nil
}
