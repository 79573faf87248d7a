// The short line under an answer, and what it says while the answer comes: numbers in, words out.
import { hasBegun } from '../lib/conversation.js'
import { planOf } from '../lib/cut.js'
import { optionsText } from '../lib/settings.js'
import { tilesText, tokensText } from '../lib/tiles.js'
import { number, sentences, words } from '../lib/words.js'

// What a reader has to know of an answer that is over: that it is not whole, not sure, or (`again`) asked for anew.
export function marksText({ state, receipt }, again = false) {
  const parts = []
  const asked = optionsText(receipt?.options)
  if (again && asked) parts.push(words('receipt_asked_again', { options: asked }))
  if (state === 'stopped') parts.push(words('receipt_stopped'))
  if (state === 'broken') parts.push(words('receipt_broke_off'))
  if (receipt?.length) parts.push(words('receipt_length'))
  if (receipt?.dropped_boxes) parts.push(words('receipt_dropped', { count: receipt.dropped_boxes }))
  if (receipt?.guess) parts.push(words('receipt_guess'))
  return parts.join(' · ')
}

export function secondsText({ receipt }) {
  return Number.isFinite(receipt?.total_s) ? words('receipt_seconds', { seconds: receipt.total_s.toFixed(receipt.total_s < 10 ? 1 : 0) }) : ''
}

// Of an answer that is over, all of it. `whole`: what each image took, too; `again`: it has an earlier one.
export function receiptText(answer, { whole, again }) {
  const { receipt } = answer
  const parts = []
  if (Number.isFinite(receipt?.ttft_s)) parts.push(words('receipt_ttft', { seconds: receipt.ttft_s.toFixed(2) }))
  if (receipt?.tokens_per_s) parts.push(words('receipt_speed', { speed: receipt.tokens_per_s.toFixed(receipt.tokens_per_s >= 10 ? 0 : 1) }))
  if (whole) parts.push(...(receipt?.images ?? []).map(imageText))
  const cached = receipt?.usage?.cached_tokens
  if (cached) parts.push(words('receipt_cached', { count: number(cached) }))
  if (whole && receipt?.usage?.attention) parts.push(words('receipt_attention', { name: receipt.usage.attention }))
  const asked = optionsText(receipt?.options)
  if (!again && asked) parts.push(words('receipt_asked', { options: asked }))
  const marks = marksText(answer, again)
  if (marks) parts.push(marks)
  if (answer.model) parts.push(answer.model)
  return parts.join(' · ')
}

function imageText(cost) {
  if (cost.tiles === null) return words('receipt_image_engine', { image: `Image-${cost.number}` })
  return words('receipt_image', { image: `Image-${cost.number}`, tiles: tilesText(cost), tokens: tokensText(cost.visual_tokens) })
}

// What an answer without text waits for.
export function waitsText({ place }, images) {
  if (place > 0) return sentences(words('state_place', { place }), words('state_place_next'))
  if (!images.length) return words('state_waiting')
  const reading = words(images.length === 1 ? 'state_reading_one' : 'state_reading', { count: images.length })
  const plans = images.map((image) => planOf(image, image.mode))
  if (plans.includes(null)) return reading
  const tiles = plans.reduce((sum, plan) => sum + plan.tiles, 0)
  return `${reading} · ${tiles === 1 ? words('tile') : words('tiles', { count: tiles })}`
}

// Of an answer that has not begun or is being written, after so many seconds; those of thinking stand with it.
export function stateText(answer, images, seconds) {
  const waits = hasBegun(answer) ? '' : waitsText(answer, images)
  const thinks = answer.thinking && !answer.text
  const time = answer.place > 0 || thinks ? '' : words('state_seconds', { seconds })
  return [waits, time].filter(Boolean).join(' · ')
}
