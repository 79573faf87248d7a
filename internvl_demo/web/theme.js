// Sets the colours that a person chose, before anything is drawn: in the page's head, for its widgets come later.
// Gradio sets its class `dark` by the system or by ?__theme; whoever chose otherwise (lib/settings.js) keeps their choice.
(() => {
  const KEY = 'internvl-theme'
  const system = matchMedia('(prefers-color-scheme: dark)')
  let chosen = read()

  function read() {
    try {
      return localStorage.getItem(KEY)
    } catch { // forbidden
      return null
    }
  }

  function draw() {
    const asked = new URLSearchParams(location.search).get('__theme')
    const name = [chosen, asked].find((one) => one === 'light' || one === 'dark')
    const dark = name ? name === 'dark' : system.matches
    if (document.body.classList.contains('dark') !== dark) document.body.classList.toggle('dark', dark)
  }

  new MutationObserver(draw).observe(document.body, { attributeFilter: ['class'] })
  addEventListener(KEY, ({ detail }) => { chosen = detail; draw() }) // from the sheet
  addEventListener('storage', ({ key }) => { if (key === KEY) { chosen = read(); draw() } }) // from another tab
  draw()
})()
