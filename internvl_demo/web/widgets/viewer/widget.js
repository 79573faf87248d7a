// The viewer: thumbnails, the chosen image large, the boxes of one answer over it, the tile X-ray and the region.
// Images are those of the page's conversation, then those that wait in the composer; its phrases reach the viewer as
// events of the page. On a phone it opens over the conversation, as a sheet or all over the page. What the person chose (image, zoom, hidden labels, the X-ray) lives here and outlasts every event; it goes when another
// conversation is shown.
import { cutText, planOf } from '../lib/cut.js'
import { NARROW, button, clamp, icon, make, pictured, vector } from '../lib/dom.js'
import { addPlace, addRegion, allImages, answerById, answerShown, focusComposer, light, on, page, reveal, setRegion, showAnswer } from '../lib/page.js'
import { onLanguage, words } from '../lib/words.js'
import { makeBoxes } from './boxes.js'
import { makeRegion } from './region.js'
import { makeStage } from './stage.js'
import { makeXray } from './xray.js'

const nothingChosen = () => ({
  number: 0, // of the image shown
  images: 0, // how many there were
  newest: null, // the answer of the last question
  shown: null, // the answer whose boxes are drawn
  touched: false, // the person looks at something: no answer turns to another image
  began: false, // whether the newest answer has boxes
  views: new Map(), // image number -> zoom and place
  hidden: new Set(), // labels
  xray: { open: false, modes: new Map() },
})

const captionOf = (number) => `Image-${number}`

// Add the repeats of these boxes, which lie on the image from which a crop or a marked copy was made.
function withRepeats(indices, boxes) {
  const all = new Set(indices)
  boxes.forEach((box, index) => { if (all.has(box.repeats)) all.add(index) })
  return all
}

function makeViewer(root, state) {
  const stop = new AbortController()
  const sheets = new Map() // image number -> everything that is drawn for it
  let images = []
  let inSight = null // the sheet whose thumbnail was brought into sight
  let near = null // { answer, image, box_1000 } that was last zoomed to

  const strip = make('div', { class: 'strip', role: 'group', 'aria-label': words('viewer_images') })
  const level = button({ class: 'level' }, () => stage.fit())
  const caption = make('b')
  const facts = make('span', { class: 'facts' })
  const live = make('div', { class: 'unseen', 'aria-live': 'polite' })
  const boxes = makeBoxes({ hidden: state.hidden, caption: captionOf, onToggle: draw })
  const xray = makeXray({ kept: state.xray, onChange: draw })
  const region = makeRegion({
    caption: captionOf, onChange: changeRegion, onPlace: nameRegion, onPicture: ask,
    onZoom: ({ image, box_1000 }) => zoomTo(image, box_1000),
  })
  const stage = makeStage({
    tool: region.tool,
    views: state.views,
    onTouch: () => { state.touched = true },
    onZoom: (percent) => {
      level.textContent = words('ring_percent', { percent })
      level.setAttribute('aria-label', words('viewer_zoom', { percent }))
    },
  })

  const zoomButton = (key, sign, act, drawn) => button({ 'aria-label': words(key), title: `${words(key)} (${sign})` }, act, icon(drawn))
  const zoom = make('div', { class: 'zoom', role: 'group', 'aria-label': words('viewer_zoom_group') },
    zoomButton('viewer_zoom_out', '−', () => stage.step(1 / 1.5), 'minus'), level,
    zoomButton('viewer_zoom_in', '+', () => stage.step(1.5), 'plus'))
  const againText = make('span')
  const again = button({ class: 'again', hidden: true }, () => ask({ way: 'crop', image: near.image, box_1000: near.box_1000 }), icon('again'), againText)
  const shut = button({ class: 'shut', 'aria-label': words('close'), title: words('close') }, closeSight, icon('remove'))
  const figure = make('figure', {}, make('div', { class: 'frame' }, stage.node, again, region.panel, xray.panel),
    make('figcaption', {}, make('div', { class: 'tools' }, boxes.list, xray.toggle, region.toggle, zoom, shut), make('span', { class: 'what' }, caption, facts)))
  root.replaceChildren(strip, figure, boxes.legend, live)

  const boxesShown = () => answerById(page.conversation, page.shown)?.boxes ?? []

  function sheetOf(image, number) {
    const [width, height] = image.size_wh
    const viewBox = `0 0 ${width} ${height}`
    const picture = make('img', { alt: `${captionOf(number)} ${image.name}`, draggable: 'false', loading: 'lazy' })
    picture.src = image.url
    const layer = vector('svg', { viewBox, role: 'group', 'aria-label': words('viewer_boxes_on', { image: captionOf(number) }) })
    const grid = vector('svg', { viewBox, class: 'xray-grid', 'aria-hidden': 'true' })
    const labels = make('div', { class: 'labels' })
    const node = make('div', { class: 'sheet', hidden: true }, picture, grid, layer, labels)
    const small = vector('svg', { viewBox, preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true' })
    const thumb = button({ class: 'thumb', title: captionOf(number) }, () => turnTo(number), pictured(make('span', { class: 'mini' }, small), image.url), make('span', {}, number))
    thumb.style.setProperty('--ratio', clamp(width / height, 0.6, 1.8))
    strip.append(thumb)
    stage.node.append(node)
    return { number, url: image.url, size: image.size_wh, node, layer, grid, labels, small, thumb, boxes: new Map() }
  }

  // Keep the sheets while their images are still there, and turn to the first of the new ones.
  function setImages(fresh) {
    images = fresh
    const changed = [...sheets.values()].find((sheet) => sheet.url !== fresh[sheet.number - 1]?.url)?.number
    for (const sheet of [...sheets.values()].filter(({ number }) => number >= changed)) {
      sheet.node.remove()
      sheet.thumb.remove()
      for (const map of [sheets, state.views, state.xray.modes]) map.delete(sheet.number)
    }
    fresh.forEach((image, index) => {
      if (!sheets.has(index + 1)) sheets.set(index + 1, sheetOf(image, index + 1))
    })
    const known = Math.min(state.images, (changed ?? Infinity) - 1)
    if (fresh.length > known) [state.number, state.touched] = [known + 1, false]
    state.number = Math.min(state.number, fresh.length)
    state.images = fresh.length
  }

  function show(conversation) {
    const newest = conversation?.questions.length ? answerShown(conversation, conversation.questions.at(-1)) : null
    if (newest?.id !== state.newest) [state.newest, state.touched, state.began] = [newest?.id, false, false]
    setImages(allImages())
    if (page.shown !== state.shown) turnToAnswer()
    if (!state.began && newest?.boxes.length && page.shown === newest.id) {
      state.began = true
      if (!state.touched) state.number = newest.boxes[0].image
    }
    draw()
  }

  // Show the boxes of another answer, on the image that they are on.
  function turnToAnswer() {
    state.shown = page.shown
    const mine = boxesShown()
    if (page.shown !== state.newest) state.touched = true
    if (mine.length && !mine.some((box) => box.image === state.number)) state.number = mine[0].image
  }

  function draw() {
    const image = images[state.number - 1]
    const sheet = sheets.get(state.number)
    const [width, height] = image.size_wh
    caption.textContent = captionOf(state.number)
    stage.node.parentElement.style.setProperty('--ratio', width / height)
    facts.textContent = `${width} × ${height} · ${cutText(planOf(image, image.mode))}`
    stage.node.setAttribute('aria-label', words('viewer_stage_keys', { image: captionOf(state.number), name: image.name }))
    figure.setAttribute('aria-label', captionOf(state.number))
    stage.node.classList.toggle('selecting', region.isOn())
    boxes.update(boxesShown(), sheets.values())
    for (const one of sheets.values()) {
      const count = boxesShown().filter((box) => box.image === one.number).length
      const caption = captionOf(one.number)
      one.node.hidden = one !== sheet
      one.thumb.setAttribute('aria-current', String(one === sheet))
      one.thumb.setAttribute('aria-label', count ? words('viewer_image_boxes', { image: caption, count }) : caption)
    }
    if (near?.image !== state.number || near.answer !== page.shown) offer(null)
    stage.show(state.number, sheet.size, sheet.node)
    xray.update(sheet, image)
    region.show(sheet)
    drawLight()
    if (inSight !== sheet) bringIntoSight(sheet)
  }

  function bringIntoSight(sheet) {
    const [left, right] = [sheet.thumb.offsetLeft - strip.offsetLeft, sheet.thumb.offsetWidth - strip.clientWidth]
    strip.scrollLeft = clamp(strip.scrollLeft, left + right, left)
    inSight = sheet
  }

  function drawLight() {
    const lit = page.lit?.answer === page.shown ? withRepeats(page.lit.boxes, boxesShown()) : new Set()
    boxes.light(sheets.values(), lit)
    for (const sheet of sheets.values()) {
      sheet.thumb.classList.toggle('lit', [...lit].some((index) => boxesShown()[index]?.image === sheet.number))
    }
  }

  function turnTo(number) {
    state.touched = true
    if (number === state.number || !images[number - 1]) return
    state.number = number
    draw()
  }

  function zoomTo(image, box_1000) {
    turnTo(image)
    stage.zoomTo(box_1000)
  }

  // Zoom to all of these boxes that are on the image of the first of them.
  function lookAt(indices) {
    const mine = indices.map((index) => boxesShown()[index]).filter(Boolean)
    if (!mine.length) return
    const { image, label } = mine[0]
    const here = mine.filter((box) => box.image === image).map((box) => box.box_1000)
    const outer = [0, 1, 2, 3].map((side) => Math[side < 2 ? 'min' : 'max'](...here.map((box) => box[side])))
    openSight('sheet') // before it is measured
    zoomTo(image, outer)
    offer({ answer: page.shown, image, box_1000: outer }, label)
    live.textContent = boxes.inWords(mine[0])
    light(page.shown, indices)
  }

  // Offer a crop of what was just zoomed to, while that is the image shown.
  function offer(place, label) {
    near = place
    again.hidden = !place
    againText.textContent = label ? words('viewer_region_again_of', { label }) : words('viewer_region_again')
  }

  function changeRegion(current) {
    root.dataset.region = current ? JSON.stringify(current) : ''
    if (region.isOn()) offer(null)
    stage.node.classList.toggle('selecting', region.isOn())
    setRegion(current)
  }

  // Name the region in the question.
  function nameRegion(place) {
    addPlace(place)
    region.clear() // its chip tells it, and what it darkened can be seen again
    closeSight()
    focusComposer()
  }

  // Let the server make a picture of { way: 'mark' or 'crop', image, box_1000 } and put it into the question.
  function ask(picture) {
    addRegion(picture)
    closeSight()
    focusComposer()
  }

  // Boxes in the image, and their lines in the list.
  const indexOf = (target) => target.closest?.('.ground-box, .box-list [data-index]')?.dataset.index
  const listen = (event, act) => root.addEventListener(event, act, { signal: stop.signal })
  // A repeat is lit together with the box that it repeats, whose index the phrase knows.
  const lightUnder = ({ target }) => {
    const index = indexOf(target)
    light(page.shown, index === undefined ? [] : [...new Set([boxesShown()[index]?.repeats ?? Number(index), Number(index)])])
  }
  function act(target) {
    const index = Number(indexOf(target))
    const { image, box_1000, repeats } = boxesShown()[index]
    if (target.closest('.again')) {
      zoomTo(image, box_1000)
      return ask({ way: 'crop', image, box_1000 })
    }
    if (region.isOn() && target.closest('.ground-box')) return region.take({ image, box_1000 })
    lookAt([index])
    reveal(page.shown, [repeats ?? index])
  }
  listen('mouseover', lightUnder)
  listen('focusin', lightUnder)
  listen('mouseleave', () => light(null))
  listen('focusout', () => light(null))
  listen('click', ({ target }) => { if (indexOf(target) !== undefined) act(target) })
  listen('keydown', (event) => {
    const line = event.target.closest?.('.ground-box')
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }
    if (event.key === 'Enter' || event.key === ' ') act(line)
    else if (steps[event.key]) boxes.go(sheets.get(state.number), line, steps[event.key])
    else return
    event.preventDefault()
  })

  function close() {
    stop.abort()
    closeSight()
    stage.close()
    root.replaceChildren()
    delete root.dataset.region
    setRegion(null)
  }

  return { show, turnTo, lookAt, drawLight, close, clearRegion: region.clear }
}

// On a phone the viewer lies over the conversation: 'sheet', its lower part, or 'full'.
function openSight(how) {
  if (NARROW.matches && document.body.dataset.sight !== 'full') document.body.dataset.sight = how
}

function closeSight() {
  delete document.body.dataset.sight
}

export default function mount(element) {
  const root = element.querySelector('.widget')
  let viewer = null
  let state = nothingChosen()
  let conversation = null // the id of the one shown
  let frame = 0 // in which new boxes are drawn

  function close() {
    viewer?.close()
    viewer = null
  }

  function show() {
    const current = page.conversation
    const others = conversation && current?.id !== conversation // a new one keeps what was looked at before it was asked
    conversation = current?.id
    if (others || !allImages().length) {
      close()
      state = nothingChosen()
    }
    if (!allImages().length) return
    viewer ??= makeViewer(root, state)
    viewer.show(current)
  }

  // Boxes that come together, as after a lost connection, are drawn together.
  function showSoon() {
    if (frame) return
    frame = requestAnimationFrame(() => { frame = 0; show() })
  }

  let drawn = '' // the pictures that wait, and their modes
  on('draft', () => {
    const waits = JSON.stringify([page.mode, page.draft.chips.map(({ photo, max_tiles }) => [photo.id, max_tiles])])
    if (waits !== drawn) show()
    drawn = waits
  })
  on('conversation', show)
  on('shown', show)
  on('model', show)
  on('answer', ({ change }) => { if (change === 'box') showSoon() })
  on('image', ({ number, large }) => {
    viewer?.turnTo(number)
    if (large) openSight('full')
  })
  on('light', () => viewer?.drawLight())
  on('look', ({ answer, boxes }) => {
    if (answer !== page.shown) showAnswer(answer)
    viewer?.lookAt(boxes)
  })
  on('sending', (sending) => { if (sending) viewer?.clearRegion() })
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || !document.body.dataset.sight || document.querySelector('dialog[open], :popover-open')) return
    event.preventDefault()
    closeSight()
  }, true)
  onLanguage(() => { close(); show() })
}
