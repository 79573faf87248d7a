// Examples: a click puts a question and its pictures into the composer, in place of another example's.
//
//     props.value = { examples: [{ en: 'Where is the cat?', zh: '猫在哪里？', files: ['page/examples/cat.webp'] }] }
import { button, make } from '../lib/dom.js'
import { knowExamples, useExample } from '../lib/page.js'
import { either, onLanguage, words } from '../lib/words.js'

export default function mount(element, props) {
  const root = element.querySelector('.widget')
  const examples = props.value?.examples ?? []
  const title = make('p', { id: 'examples-title' })
  const texts = examples.map(() => make('span'))
  const buttons = examples.map((example, index) => {
    const drawn = make('img', { alt: '', loading: 'lazy' })
    drawn.src = new URL(example.files.at(-1), document.baseURI).href
    return button({ class: 'example' }, () => useExample(either(example), example.files), drawn, texts[index])
  })
  root.replaceChildren(title, ...buttons)
  knowExamples(examples.flatMap(({ en, zh }) => [en, zh]))

  onLanguage(() => {
    title.textContent = words('examples')
    examples.forEach((example, index) => { texts[index].textContent = either(example) })
  })
}
