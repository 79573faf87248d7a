// The pictures that wait in the composer as chips, and what a person does with them: values in, values out.
//
//     chips = added(chips, [photo])                                  // { photo: PHOTO, max_tiles: null }
//     chips = applyAction(chips, { do: 'move', id: photo.id, at: 1, to: 0 })
//
// An action names the photo and the place where the person saw it: what no longer fits changes nothing.
export const MOST_CHIPS = 16 // the server takes no more
export const MOST_TILES = 40
export const MOST_MB = 32 // of one file; the server takes no more
export const PICTURE_FILES = 'image/*,.heic,.heif,.hif,.avif,.tif,.tiff,.jfif,.jpe' // systems name no type for some
const NO_PICTURES = /^(text|audio|video|font)\//
const TILES = { low: 1, standard: 12, high: 40 }
export const MODES = Object.keys(TILES)
export const CUSTOM_TILES = 6 // where a choice of one's own begins

// 'low' | 'standard' | 'high' | 1..40 -> the most tiles
export function mostTiles(mode) {
  return TILES[mode] ?? mode
}

// The mode itself, or the best of those that a model gives which reads so many tiles.
export function readMode(mode, most = MOST_TILES) {
  if (mostTiles(mode) <= most) return mode
  return MODES.find((name) => TILES[name] === most) ?? most
}

export function isTiles(value) {
  return Number.isInteger(value) && value >= 1 && value <= MOST_TILES
}

// Whether the server should look at a file: at all but what is surely something else. Many systems know no type of
// an HEIC, TIFF or JFIF file, or a wrong one.
export function mayBePicture({ type }) {
  return !NO_PICTURES.test(type)
}

// With more pictures at the end; one that waits already is not added twice.
export function added(chips, photos) {
  const fresh = photos.filter((photo, index) => photos.findIndex((one) => same(one, photo)) === index)
  return [...chips, ...fresh.filter((photo) => !chips.some((chip) => same(chip.photo, photo))).map((photo) => ({ photo, max_tiles: null }))]
}

function same(one, other) {
  return one.id === other.id && one.name === other.name
}

// With what comes back before it; what waits already is not there twice.
export function joined(back, chips) {
  return [...back, ...chips.filter((chip) => !back.some((one) => same(one.photo, chip.photo)))]
}

// A text that comes back: before what is typed, or in place of it where that is one of the texts `over`.
export function joinedText(back, text, over = []) {
  if (!back || text.startsWith(back)) return text
  return !text.trim() || over.includes(text.trim()) ? back : `${back}\n\n${text}`
}

// { do: 'remove' | 'move' | 'mode', id, at, to, max_tiles }; `at` and `to` count from 0.
export function applyAction(chips, action) {
  const at = placeOf(chips, action.id, action.at)
  if (at < 0) return chips
  const others = chips.filter((_, place) => place !== at)
  const inRange = Number.isInteger(action.to) && action.to >= 0 && action.to <= others.length
  if (action.do === 'remove') return others
  if (action.do === 'move' && inRange) return [...others.slice(0, action.to), chips[at], ...others.slice(action.to)]
  if (action.do === 'mode' && (action.max_tiles === null || isTiles(action.max_tiles))) {
    return chips.map((chip, place) => (place === at ? { ...chip, max_tiles: action.max_tiles } : chip))
  }
  return chips
}

function placeOf(chips, id, at) {
  const places = chips.flatMap((chip, place) => (chip.photo.id === id ? [place] : []))
  if (places.includes(at)) return at
  return places.length === 1 ? places[0] : -1
}

// The chips after a change that the context bar offers: the pictures that it names, in order, the others left out, but
// for those that it did not know (`known`: the ids of photos).
export function fixed(chips, images, mode, known) {
  const left = chips.filter(({ photo }) => known.includes(photo.id))
  const fresh = chips.filter(({ photo }) => !known.includes(photo.id))
  const named = images.flatMap((image) => {
    const place = left.findIndex((chip) => chip.photo.id === image.photo)
    if (place < 0) return []
    const [chip] = left.splice(0, place + 1).slice(-1)
    const tiles = mostTiles(image.mode)
    return [{ ...chip, max_tiles: chip.max_tiles === null && tiles === mostTiles(mode) ? null : tiles }]
  })
  return [...named, ...fresh]
}

// As they are sent.
export function attachments(chips, mode) {
  return chips.map(({ photo, max_tiles }) => ({ photo: photo.id, mode: max_tiles ?? mode }))
}

// How a photo is cut at a mode: { grid: [columns, rows], tiles, thumbnail, tokens }.
export function tilesOf(photo, mode, tokensPerTile) {
  const grid = photo.grids[mostTiles(mode) - 1]
  const tiles = grid[0] * grid[1]
  return { grid, tiles, thumbnail: tiles > 1, tokens: (tiles + (tiles > 1 ? 1 : 0)) * tokensPerTile }
}
