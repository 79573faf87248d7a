// Pictures that are dropped or pasted anywhere on the page go into the composer.
import { addFiles } from '../lib/page.js'

// overlay: shown while files are dragged over the page.
export function takeFilesAnywhere(overlay) {
  let inside = 0 // elements that were entered and not left

  const hasFiles = (event) => event.dataTransfer?.types.includes('Files')
  const over = (is) => { overlay.hidden = !is }

  document.addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return
    inside++
    over(true)
  })
  document.addEventListener('dragleave', (event) => {
    if (hasFiles(event) && --inside <= 0) { inside = 0; over(false) }
  })
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'copy'
  })
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    inside = 0
    over(false)
    addFiles([...event.dataTransfer.files])
  })
  // A picture that is copied with a text, as from a document, is the text's.
  document.addEventListener('paste', (event) => {
    const files = [...event.clipboardData?.files ?? []]
    if (!files.length || event.clipboardData.types.includes('text/plain')) return
    event.preventDefault()
    addFiles(files)
  })
}
