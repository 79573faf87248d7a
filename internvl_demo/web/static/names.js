// What Gradio names in English only, named in the page's language; its messages are named after who speaks, for
// Gradio reads out their markup. Gradio draws anew as it likes, so whatever changes is looked at again.
const NAMED = [
  ['#conversation [role=log]', 'conversation'],
  ['#conversation [data-testid=user]:has(.asked)', 'question'],
  ['#conversation [data-testid=user]:has(img):not(:has(.asked))', 'picture'],
  ['#conversation [data-testid=bot]', 'answer'],
  ['#conversation :is(.wide, .katex-display, pre)[tabindex]', 'wide'],
  ['#conversation .copy_code_button', 'copy_code'],
  ['#conversation .scroll-down-button-container button', 'scroll'],
  ['#composer .full-container, #composer textarea', 'composer'],
  ['#composer .upload-button', 'upload'],
  ['#max-tiles input', 'max_tiles'],
  ['#max-tiles .reset-button', 'reset'],
  ['.toast-close', 'close'],
]

// What is wider than the answer moves sideways: by keys, too.
function reach() {
  for (const node of document.querySelectorAll('#conversation :is(.wide, .katex-display, pre)')) {
    const wide = node.scrollWidth > node.clientWidth
    if (wide && !node.hasAttribute('tabindex')) {
      node.tabIndex = 0
      node.setAttribute('role', 'group')
    } else if (!wide && node.hasAttribute('tabindex')) node.removeAttribute('tabindex')
  }
}

// What Gradio says at the edge, as its English is in the table with {values}; kept, for the language may be switched.
const said = new WeakMap()

function say(language) {
  const sentences = Object.keys(props.value.en).filter((key) => key.startsWith('said_'))
  for (const node of document.querySelectorAll('.toast-title, .toast-message-text')) {
    const text = node.firstChild
    if (!text?.data?.trim()) continue
    if (said.get(text)?.shown !== text.data) said.set(text, { english: text.data.trim() })
    const { english } = said.get(text)
    const key = sentences.find((one) => pattern(props.value.en[one]).test(english))
    if (!key) continue
    const values = pattern(props.value.en[key]).exec(english).groups ?? {}
    const shown = props.value[language][key].replace(/\{(\w+)\}/g, (_, value) => values[value])
    said.set(text, { english, shown })
    if (text.data !== shown) text.data = shown
  }
}

function pattern(sentence) {
  const parts = sentence.split(/\{(\w+)\}/)
  return new RegExp(`^${parts.map((part, at) => at % 2 ? `(?<${part}>.+)` : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('')}$`, 's')
}

function name() {
  reach()
  const language = document.documentElement.dataset.language === 'zh' ? 'zh' : 'en'
  const words = props.value[language]
  say(language)
  for (const [which, key] of NAMED) {
    for (const node of document.querySelectorAll(which)) {
      if (node.getAttribute('aria-label') !== words[key]) node.setAttribute('aria-label', words[key])
      if (node.title && node.title !== words[key]) node.title = words[key]
      if (node.tagName === 'DIV' && !node.hasAttribute('role')) node.setAttribute('role', 'group')
    }
  }
  for (const icon of document.querySelectorAll('#examples img')) if (icon.alt) icon.alt = '' // the question says it
}

const named = new MutationObserver(name)
named.observe(document.body, { childList: true, subtree: true, attributeFilter: ['aria-label', 'title', 'alt'] })
named.observe(document.documentElement, { attributeFilter: ['data-language'] })
name()
addEventListener('resize', name)
