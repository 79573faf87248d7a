// Tiles and tokens of a picture, in words.
import { number, words } from './words.js'

// '2 × 3 = 6 tiles + thumbnail', or '1 tile'
export function tilesText({ grid: [columns, rows], tiles }) {
  if (tiles === 1) return words('tile')
  return `${columns} × ${rows} = ${words('tiles', { count: tiles })} + ${words('thumbnail')}`
}

export function tokensText(tokens) {
  return words('tokens', { count: number(tokens) })
}
