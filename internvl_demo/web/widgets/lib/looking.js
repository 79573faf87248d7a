// What is looked at: whose boxes the viewer shows, which image, what is under the mouse. Nothing here asks the server.
import { emit, page } from './state.js'

export function showAnswer(answer) {
  page.shown = answer
  emit('shown', { answer })
}

// large: on a phone all over the page.
export function turnTo(number, large = false) {
  emit('image', { number, large })
}

export function light(answer, boxes = []) {
  const lit = answer && boxes.length ? { answer, boxes } : null
  if (JSON.stringify(lit) === JSON.stringify(page.lit)) return
  page.lit = lit
  emit('light', lit)
}

export function lookAt(answer, boxes) {
  emit('look', { answer, boxes })
}

export function reveal(answer, boxes) {
  emit('reveal', { answer, boxes })
}

export function setRegion(region) {
  page.region = region
  emit('region', region)
}

export function inspect(answer) {
  emit('inspect', { answer })
}
