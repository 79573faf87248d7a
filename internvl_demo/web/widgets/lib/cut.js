// How pictures are cut for the model that is chosen: each by its own choice of the most tiles; or all by the highest that
// a question has; or by a limit of its server's, which nobody here knows. `tiles_follow` of api/model says which.
//
//     planOf(photo, 'standard')      // as tilesOf of lib/draft.js; null where the server decides
//     cutText(plan)                  // '2 × 3 = 6 tiles + thumbnail'
import { mostTiles, tilesOf } from './draft.js'
import { allImages } from './drafting.js'
import { page } from './state.js'
import { tilesText } from './tiles.js'
import { words } from './words.js'

export const serverDecides = () => page.model?.tiles_follow === 'engine'

export const highestCounts = () => page.model?.tiles_follow === 'request'

// The most tiles that a picture gets with a choice, beside others with theirs: those of the conversation and that wait.
export function mostRead(mode, others = allImages().map((image) => image.mode)) {
  return Math.max(...(highestCounts() ? [mode, ...others] : [mode]).map(mostTiles))
}

export function planOf(photo, mode, others) {
  return serverDecides() ? null : tilesOf(photo, mostRead(mode, others), page.model?.tokens_per_tile ?? 0)
}

export const cutText = (plan) => (plan ? tilesText(plan) : words('tiles_engine'))
