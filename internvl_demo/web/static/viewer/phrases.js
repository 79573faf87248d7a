// In the conversation, the phrases that have boxes: found in the rendered answer and made into spans, whose
// text is the text that was there. An answer is known by the class `turn-n` of its receipt. Gradio renders
// an answer block by block and leaves what has not changed alone, so each change is looked at again, and
// only what is missing is linked.
const MARKS = /[\s*_`~\\]/ // what Markdown may leave out; `web/viewer.py` leaves out the same

function makePhrases(words, { signal, onLight, onClick, onChoose, onImage, caption }) {
  const conversation = document.getElementById('conversation')
  let answers = []
  let chosen = 0
  let lit = null
  let pressing = false // the focus comes from a press, whose click will choose
  let focused = '' // `turn/phrase`: kept when streaming replaces the span

  const answerOf = (turn) => conversation.querySelector(`.receipt.turn-${turn}`)?.closest('[data-testid="bot"]')

  function link() {
    answers.forEach((answer, index) => {
      const node = answerOf(index + 1)
      if (!node) return
      set(node, {
        'data-turn': index + 1, 'data-chosen': index + 1 === chosen,
        tabindex: answer.boxes.length ? '0' : null, 'aria-current': index + 1 === chosen && answers.length > 1 ? 'true' : null,
      })
      for (const span of node.querySelectorAll('.ground-phrase[tabindex]')) set(span, { 'aria-description': words.phrase })
      const missing = answer.phrases.map((phrase, order) => ({ ...phrase, order })).filter(({ order }) => !spans(node, order).length)
      if (missing.length) wrap(node, index + 1, missing)
    })
    pictures().forEach((node, index) => {
      set(node, { 'aria-label': caption(index + 1) })
      set(node.closest('[data-testid]'), { role: 'group' })
    })
    watcher.takeRecords() // what was just changed is no news
    light(lit)
  }

  // People's images: Gradio leaves them without a name.
  const pictures = () => [...conversation.querySelectorAll('[data-testid="user"] button:has(img)')]

  const spans = (node, order) => node.querySelectorAll(`.ground-phrase[data-phrase="${order}"]`)

  function wrap(node, turn, phrases) {
    const letters = []
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const text = walker.currentNode
      if (text.parentElement.closest('.receipt, button') || text.parentElement.matches('.md')) continue
      for (let at = 0; at < text.data.length; at++) if (!MARKS.test(text.data[at])) letters.push({ text, at })
    }
    const whole = letters.map(({ text, at }) => text.data[at]).join('')
    const ranges = phrases.map((phrase) => ({ phrase, from: nth(whole, phrase.text, phrase.nth) })).filter(({ from }) => from >= 0)
    // From the end, so that the places before it stay right.
    for (const { phrase, from } of ranges.sort((a, b) => b.from - a.from)) {
      const mine = letters.slice(from, from + phrase.text.length)
      if (mine.some(({ text }) => text.parentElement.closest('.ground-phrase'))) continue
      const pieces = [...new Set(mine.map(({ text }) => text))].reverse()
      for (const text of pieces) {
        const places = mine.filter((letter) => letter.text === text)
        surround(text, places[0].at, places.at(-1).at + 1, turn, phrase, text === mine[0].text)
      }
    }
  }

  function nth(whole, text, count) {
    let at = whole.indexOf(text)
    for (; count > 0 && at >= 0; count--) at = whole.indexOf(text, at + text.length)
    return text ? at : -1
  }

  function surround(text, from, to, turn, phrase, first) {
    const middle = text.splitText(from)
    middle.splitText(to - from)
    const span = make('span', { class: 'ground-phrase', 'data-phrase': phrase.order, 'data-turn': turn })
    if (first) set(span, { tabindex: '0', role: 'button', 'aria-description': words.phrase })
    const { colour, line } = answers[turn - 1].boxes[phrase.boxes[0]]
    span.style.setProperty('--colour', colour)
    span.style.setProperty('--line', line)
    middle.replaceWith(span)
    span.textContent = middle.data
    if (first && focused === key(span) && document.activeElement === document.body) span.focus({ preventScroll: true })
  }

  const key = (span) => `${span.dataset.turn}/${span.dataset.phrase}`

  function phraseOf(target) {
    const span = target.closest?.('.ground-phrase')
    const turn = Number(span?.dataset.turn)
    const phrase = answers[turn - 1]?.phrases[Number(span?.dataset.phrase)]
    return phrase && { turn, boxes: phrase.boxes }
  }

  function light(boxes) {
    lit = boxes
    for (const span of conversation.querySelectorAll('.ground-phrase')) {
      const phrase = phraseOf(span)
      span.classList.toggle('lit', Boolean(lit && phrase?.turn === chosen && phrase.boxes.some((index) => lit.has(index))))
    }
  }

  function choose(target) {
    const turn = Number(target.closest?.('[data-testid="bot"][data-turn]')?.dataset.turn)
    if (turn && turn !== chosen) onChoose(turn)
  }

  function listen(name, act) {
    conversation.addEventListener(name, act, { signal })
  }
  listen('click', (event) => {
    choose(event.target)
    const phrase = phraseOf(event.target)
    if (phrase) onClick(phrase)
    const image = pictures().indexOf(event.target.closest?.('button')) + 1
    if (image) onImage(image)
  })
  listen('keydown', (event) => {
    const phrase = (event.key === 'Enter' || event.key === ' ') && phraseOf(event.target)
    if (!phrase) return
    event.preventDefault()
    onClick(phrase)
  })
  // Under a mouse or a finger nothing may move before the click, or the click goes elsewhere.
  listen('mousedown', () => {
    pressing = true
    setTimeout(() => { pressing = false })
  })
  listen('focusin', (event) => {
    if (!pressing) choose(event.target)
    const phrase = phraseOf(event.target)
    focused = phrase ? key(event.target) : ''
    onLight(phrase || null)
  })
  listen('focusout', (event) => {
    if (event.target.isConnected) focused = ''
    onLight(null)
  })
  listen('mouseover', (event) => onLight(phraseOf(event.target) || null))
  listen('mouseleave', () => onLight(null))

  const watcher = new MutationObserver(link)
  watcher.observe(conversation, { childList: true, characterData: true, subtree: true })
  signal.addEventListener('abort', () => watcher.disconnect())

  function update(fresh, turn) {
    answers = fresh
    chosen = turn
    link()
  }

  function reveal(boxes) {
    const index = answers[chosen - 1]?.phrases.findIndex((phrase) => phrase.boxes.some((box) => boxes.has(box))) ?? -1
    const node = index >= 0 && answerOf(chosen)
    if (node) spans(node, index)[0]?.scrollIntoView({ block: 'nearest' })
  }

  return { update, light, reveal }
}
