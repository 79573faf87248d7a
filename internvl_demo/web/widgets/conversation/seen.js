// The picture of an answer with its boxes, inside the conversation: on a phone, where no viewer stands beside it. A press
// opens the viewer all over the page.
import { button, make, pixels, vector } from '../lib/dom.js'
import { allImages, showAnswer, turnTo } from '../lib/page.js'
import { words } from '../lib/words.js'

export function makeSeen() {
  const node = make('div', { class: 'seen' })
  let drawn = ''

  function picture(image, boxes, answer) {
    const [width, height] = image.size_wh
    const photo = make('img', { alt: '', width, height, draggable: 'false' })
    photo.src = image.url
    const lines = boxes.flatMap((box) => ['edge', 'line'].map((kind) => vector('rect', {
      ...pixels(box.box_1000, image.size_wh), class: kind, stroke: kind === 'line' ? box.colour : null, 'data-line': box.line,
    })))
    const press = () => {
      showAnswer(answer.id)
      turnTo(image.number, true)
    }
    return button({ class: 'look', 'aria-label': words('conversation_boxes_on', { image: `Image-${image.number}` }) }, press,
      photo, vector('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, ...lines))
  }

  // Of every image that has boxes of this answer.
  function update(answer) {
    const now = JSON.stringify([answer.id, answer.boxes])
    if (now === drawn) return
    drawn = now
    const images = allImages().filter(({ number }) => answer.boxes.some((box) => box.image === number))
    node.replaceChildren(...images.map((image) => picture(image, answer.boxes.filter((box) => box.image === image.number), answer)))
  }

  return { node, update, relabel: () => { drawn = '' } }
}
