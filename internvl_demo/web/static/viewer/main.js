// The viewer: thumbnails, the chosen image large, the boxes of the chosen answer over it, the tile X-ray and
// the region. The value is plain data from `web/viewer.py`. What the person chose (image, zoom, answer, hidden
// labels) lives here and outlasts every new value; it goes when the conversation is cleared.
function makeViewer(root, words) {
  const stop = new AbortController()
  const sheets = new Map() // image number -> everything that is drawn for it
  let images = []
  let answers = []
  let number = 0 // of the image shown
  let chosen = 0 // turn of the answer shown
  let touched = false // the person looks at something: no answer turns to another image
  let began = false // whether the last answer has boxes
  let lit = null // the boxes under the mouse or the focus
  let near = null // { turn, image, box_1000 } that was last zoomed to

  const strip = make('div', { class: 'strip', role: 'group', 'aria-label': words.images })
  const level = button({ class: 'level' }, () => stage.fit(), '100 %')
  const name = make('b')
  const facts = make('span', { class: 'facts' })
  const live = make('div', { class: 'unseen', 'aria-live': 'polite' })
  const boxes = makeBoxes(words, { onToggle: draw })
  const xray = makeXray(words, { onChange: draw })
  const region = makeRegion(words, {
    caption: (image) => images[image - 1]?.caption ?? '',
    onChange: report,
    onInsert: insert,
    onPicture: ask,
    onZoom: ({ image, box_1000 }) => look(image, box_1000),
  })
  const stage = makeStage({
    tool: region.tool,
    onTouch: () => { touched = true },
    onZoom: (percent) => {
      level.textContent = `${percent} %`
      level.setAttribute('aria-label', fill(words.zoom, { percent }))
    },
  })
  const phrases = makePhrases(words, {
    signal: stop.signal, onLight: (phrase) => light(phrase?.turn === chosen ? phrase.boxes : []), onChoose: choose,
    onImage: turnTo, caption: (image) => images[image - 1]?.caption ?? '',
    onClick: ({ turn, boxes: mine }) => { choose(turn); lookAt(mine) },
  })

  const zoom = make('div', { class: 'zoom', role: 'group', 'aria-label': words.zoom_group },
    button({ 'aria-label': words.zoom_out, title: `${words.zoom_out} (−)` }, () => stage.step(1 / 1.5), icon('minus')),
    level,
    button({ 'aria-label': words.zoom_in, title: `${words.zoom_in} (+)` }, () => stage.step(1.5), icon('plus')),
    button({ 'aria-label': words.zoom_fit, title: `${words.zoom_fit} (0)` }, () => stage.fit(), icon('fit')))
  const againText = make('span')
  const again = button({ class: 'again', hidden: true }, () => ask({ way: 'crop', image: near.image, box_1000: near.box_1000 }), icon('again'), againText)
  const figure = make('figure', {}, make('div', { class: 'frame' }, stage.node, again, zoom),
    make('figcaption', {}, make('span', { class: 'what' }, name, facts), xray.toggle, region.toggle))
  root.replaceChildren(strip, figure, region.panel, xray.panel, boxes.legend, boxes.list, live)

  function sheetOf(image, index) {
    const [width, height] = image.size_wh
    const viewBox = `0 0 ${width} ${height}`
    const picture = make('img', { alt: `${image.caption} ${image.name}`, draggable: 'false', loading: 'lazy' })
    picture.src = image.url
    const layer = vector('svg', { viewBox, role: 'group', 'aria-label': fill(words.boxes_on, { image: image.caption }) })
    const grid = vector('svg', { viewBox, class: 'xray-grid', 'aria-hidden': 'true' })
    const labels = make('div', { class: 'labels' })
    const node = make('div', { class: 'sheet', hidden: true }, picture, grid, layer, labels)
    const small = vector('svg', { viewBox, preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true' })
    const picked = button({ class: 'thumb' }, () => turnTo(index + 1), pictured(make('span', { class: 'mini' }, small), image.url), make('span', {}, image.caption))
    picked.style.setProperty('--ratio', clamp(width / height, 0.6, 1.8))
    strip.append(picked)
    stage.node.append(node)
    return { number: index + 1, key: image.url, size: image.size_wh, node, layer, grid, labels, small, picked, boxes: new Map() }
  }

  function take(fresh) {
    const keys = fresh.map((image) => image.url)
    if ([...sheets.values()].some((sheet) => sheet.key !== keys[sheet.number - 1])) {
      for (const sheet of sheets.values()) { sheet.node.remove(); sheet.picked.remove() }
      sheets.clear()
      stage.forget()
      number = 0
    }
    const before = sheets.size
    fresh.forEach((image, index) => {
      if (!sheets.has(index + 1)) sheets.set(index + 1, sheetOf(image, index))
    })
    images = fresh
    if (fresh.length > before) [number, touched] = [before + 1, false]
  }

  function show(freshImages, freshAnswers) {
    const last = freshAnswers.at(-1)?.boxes ?? []
    if (freshAnswers.length !== answers.length) chosen = freshAnswers.length
    if (freshAnswers.length !== answers.length || (began && !last.length)) [touched, began] = [false, false]
    take(freshImages)
    answers = freshAnswers
    if (!began && last.length) {
      began = true
      if (!touched && chosen === answers.length) number = last[0].image
    }
    draw()
  }

  const boxesShown = () => answers[chosen - 1]?.boxes ?? []

  function draw() {
    const image = images[number - 1]
    const sheet = sheets.get(number)
    const [width, height] = image.size_wh
    name.textContent = image.caption
    stage.node.parentElement.style.setProperty('--ratio', width / height)
    facts.textContent = `${width} × ${height} · ${image.note}`
    stage.node.setAttribute('aria-label', `${image.caption} ${image.name}. ${words.stage_keys}`)
    stage.node.classList.toggle('selecting', region.isOn())
    boxes.update(boxesShown(), images, sheets.values())
    for (const one of sheets.values()) {
      const mine = boxesShown().filter((box) => box.image === one.number).length
      one.node.hidden = one !== sheet
      one.picked.setAttribute('aria-current', String(one === sheet))
      one.picked.setAttribute('aria-label', mine ? fill(words.image_boxes, { image: images[one.number - 1].caption, count: mine }) : images[one.number - 1].caption)
    }
    if (near?.image !== number || near.turn !== chosen) offer(null)
    stage.show(number, sheet.size, sheet.node)
    xray.update(sheet, image)
    region.show(sheet, images.length)
    phrases.update(answers, chosen)
    boxes.light(sheets.values(), lit)
    const [left, right] = [sheet.picked.offsetLeft - strip.offsetLeft, sheet.picked.offsetWidth - strip.clientWidth]
    strip.scrollLeft = clamp(strip.scrollLeft, left + right, left) // the chosen one is in sight
  }

  function turnTo(image) {
    touched = true
    if (image === number || !images[image - 1]) return
    number = image
    draw()
  }

  function choose(turn) {
    if (turn === chosen) return
    chosen = turn
    const mine = boxesShown()
    if (mine.length && !mine.some((box) => box.image === number)) number = mine[0].image
    touched = true
    draw()
  }

  function look(image, box_1000) {
    turnTo(image)
    stage.zoomTo(box_1000)
  }

  // All the boxes that are on the image of the first of them.
  function lookAt(indices) {
    const mine = indices.map((index) => boxesShown()[index]).filter(Boolean)
    if (!mine.length) return
    const here = mine.filter((box) => box.image === mine[0].image).map((box) => box.box_1000)
    const outer = [0, 1, 2, 3].map((side) => Math[side < 2 ? 'min' : 'max'](...here.map((box) => box[side])))
    look(mine[0].image, outer)
    offer({ turn: chosen, image: mine[0].image, box_1000: outer }, mine[0].label)
    live.textContent = boxes.inWords(mine[0])
    root.scrollIntoView({ block: 'nearest' })
    light(indices)
  }

  // A crop of what was just zoomed to, while that is the image shown.
  function offer(place, label) {
    near = place
    again.hidden = !place
    againText.textContent = label ? fill(words.region_again_of, { label }) : words.region_again
  }

  function light(indices) {
    lit = indices.length ? new Set(indices) : null
    boxes.light(sheets.values(), lit)
    phrases.light(lit)
    for (const sheet of sheets.values()) {
      sheet.picked.classList.toggle('lit', indices.some((index) => boxesShown()[index]?.image === sheet.number))
    }
  }

  function report(current) {
    root.dataset.region = current ? JSON.stringify(current) : ''
    if (region.isOn()) offer(null)
    stage.node.classList.toggle('selecting', region.isOn())
    root.dispatchEvent(new CustomEvent('viewer-region', { bubbles: true, detail: current }))
  }

  // Python makes a picture of { way: 'mark' or 'crop', image, box_1000 } and puts it into the question.
  function ask(detail) {
    trigger('ask_region', detail)
    composer()?.focus()
  }

  const composer = () => document.querySelector('#composer textarea')

  // Into the question, where the cursor stands in it.
  function insert(text) {
    const area = composer()
    if (!area) return
    const before = area.value.slice(0, area.selectionStart)
    const after = area.value.slice(area.selectionEnd)
    const whole = `${before}${before && !/\s$/.test(before) ? ' ' : ''}${text}${/^\S/.test(after) ? ' ' : ''}`
    area.value = whole + after
    area.dispatchEvent(new Event('input', { bubbles: true }))
    area.focus()
    area.setSelectionRange(whole.length, whole.length)
  }

  // Boxes in the image, and their lines in the list.
  const indexOf = (target) => target.closest?.('.ground-box, .box-list [data-index]')?.dataset.index
  const listen = (event, act) => root.addEventListener(event, act, { signal: stop.signal })
  const lightUnder = (event) => {
    const index = indexOf(event.target)
    light(index === undefined ? [] : [Number(index)])
  }
  function act(target) {
    const index = Number(indexOf(target))
    const { image, box_1000 } = boxesShown()[index]
    if (target.closest('.again')) {
      look(image, box_1000)
      return ask({ way: 'crop', image, box_1000 })
    }
    if (region.isOn() && target.closest('.ground-box')) return region.take({ image, box_1000 })
    lookAt([index])
    phrases.reveal(new Set([index]))
  }
  listen('mouseover', lightUnder)
  listen('focusin', lightUnder)
  listen('mouseleave', () => light([]))
  listen('focusout', () => light([]))
  listen('click', (event) => { if (indexOf(event.target) !== undefined) act(event.target) })
  listen('keydown', (event) => {
    const line = event.target.closest?.('.ground-box')
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }
    if (event.key === 'Enter' || event.key === ' ') act(line)
    else if (steps[event.key]) boxes.go(sheets.get(number), line, steps[event.key])
    else return
    event.preventDefault()
  })

  function close() {
    stop.abort()
    stage.close()
    root.replaceChildren()
    delete root.dataset.region
  }

  return { show, close }
}

const root = element.querySelector('.widget')
let viewer = null
let language = null // its words, as text

function update() {
  const { images = [], answers = [], words = {} } = props.value ?? {}
  if (!images.length || language !== JSON.stringify(words)) {
    viewer?.close()
    viewer = null
    language = JSON.stringify(words)
    if (!images.length) return
  }
  viewer ??= makeViewer(root, words)
  viewer.show(images, answers)
}

watch('value', update)
update()
