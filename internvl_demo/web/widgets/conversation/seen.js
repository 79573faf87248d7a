// The pictures of an answer with its boxes, inside the conversation: on a phone, where no viewer stands beside it. Those
// of the question stand above the answer from its beginning, others below it once it is over: nothing that is read moves.
// A press opens the viewer all over the page.
import { NARROW, button, make, pixels, vector } from '../lib/dom.js'
import { allImages, showAnswer, turnTo } from '../lib/page.js'
import { words } from '../lib/words.js'

export function makeSeen() {
  const node = make('div', { class: 'seen' })
  const looks = new Map() // image number -> { node, layer, url, drawn }
  let shown = null // the answer
  let asked = null // its question
  NARROW.addEventListener('change', () => { if (node.isConnected) update(shown, asked) })

  function look(image) {
    const [width, height] = image.size_wh
    const photo = make('img', { alt: '', width, height, draggable: 'false' })
    photo.src = image.url
    const layer = vector('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' })
    const press = () => {
      showAnswer(shown.id)
      turnTo(image.number, true)
    }
    const node = button({ class: 'look' }, press, photo, layer)
    node.style.setProperty('--ratio', width / height)
    return { node, layer, url: image.url, drawn: '' }
  }

  function drawBoxes(one, image) {
    const boxes = shown.boxes.filter((box) => box.image === image.number)
    const now = JSON.stringify(boxes)
    if (now === one.drawn) return
    const first = boxes.length && [...looks.values()].every(({ drawn }) => ['', '[]'].includes(drawn))
    one.drawn = now
    one.layer.replaceChildren(...boxes.flatMap((box) => ['edge', 'line'].map((kind) => vector('rect', {
      ...pixels(box.box_1000, image.size_wh), class: kind, stroke: kind === 'line' ? box.colour : null, 'data-line': box.line,
    }))))
    if (first) node.scrollLeft = one.node.offsetLeft - node.offsetLeft // it may be one of several
  }

  function update(answer, question) {
    ;[shown, asked] = [answer, question]
    const own = question.images.map(({ number }) => number)
    const others = answer.state === 'running' ? [] : answer.boxes.map(({ image }) => image).filter((number) => !own.includes(number))
    const images = !NARROW.matches ? [] : allImages().filter(({ number }) => own.includes(number) || others.includes(number))
    node.classList.toggle('below', !own.length)
    for (const [number, one] of looks) {
      if (images.some((image) => image.number === number && image.url === one.url)) continue
      one.node.remove()
      looks.delete(number)
    }
    for (const image of images) {
      if (!looks.has(image.number)) looks.set(image.number, look(image))
      const one = looks.get(image.number)
      if (one.node.parentNode !== node) node.append(one.node)
      const name = shown.boxes.some((box) => box.image === image.number) ? 'conversation_boxes_on' : 'conversation_look'
      one.node.setAttribute('aria-label', words(name, { image: `Image-${image.number}` }))
      drawBoxes(one, image)
    }
    node.hidden = !images.length
  }

  return { node, update }
}
