// The photo with a dot for each landmark, to be dragged. Gradio runs this as the body of a function when the component
// is there (gr.HTML's js_on_load), with `element`, `props`, `trigger` and `watch`. `props.value` is
// {photo: {url}, size: [width, height], marks: [{name, found: [x, y], seen, place: [x, y], null or nothing}]} in pixels of
// the photo; what the visitor does comes out as the event "input" with {name, place}, as `Fix.say` takes it.

const SLIP = 3 // CSS pixels that a finger moves without dragging
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
const FAR = 10 // times a step, with Shift
const LARGEST = 6 // times the size at first
const SAID = { found: 'as found', placed: 'as you placed it', hidden: 'cannot be seen' }

element.innerHTML = `
    <div class="window" hidden>
        <div class="stage" role="group" aria-label="Points of the body">
            <img alt="The photo with the points of the body on it" draggable="false">
        </div>
    </div>
    <div class="tools" hidden>
        <output aria-live="polite">Choose a point.</output>
        <button type="button" class="hide" disabled>It cannot be seen</button>
        <button type="button" class="back" disabled>As it was found</button>
        <button type="button" class="larger">Larger</button>
        <button type="button" class="smaller">Smaller</button>
    </div>`
const parts = ['.window', '.stage', 'img', 'output', '.hide', '.back', '.larger', '.smaller']
const [view, stage, photo, told, hide, back, larger, smaller] = parts.map((part) => element.querySelector(part))
const dots = new Map() // by name: {mark, button}
let size = [1, 1]
let zoom = 1
let chosen = null // a mark
let dragged = null // what began with a pointer on a dot
let unsaid = null // a mark that was moved and not told of yet

const stateOf = (mark) => (mark.place === null || !(mark.place || mark.seen) ? 'hidden' : mark.place ? 'placed' : 'found')
const spoken = (mark) => mark.name.replaceAll('_', ' ')

function draw() {
    const value = props.value
    if (!value) return
    size = value.size
    view.style.setProperty('--aspect', size[0] / size[1])
    if (photo.getAttribute('src') !== value.photo.url) photo.src = value.photo.url
    for (const mark of value.marks) {
        const button = dots.get(mark.name)?.button ?? dot(mark)
        dots.set(mark.name, { mark, button })
        show(mark)
    }
    if (chosen) choose(dots.get(chosen.name).mark)
    element.querySelectorAll(':scope > [hidden]').forEach((part) => part.removeAttribute('hidden'))
}

function dot(mark) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'dot'
    button.dataset.name = mark.name
    button.ariaLabel = spoken(mark)
    return stage.appendChild(button)
}

function show(mark) {
    const { button } = dots.get(mark.name)
    const [x, y] = mark.place ?? mark.found
    button.style.left = `${(100 * x) / size[0]}%`
    button.style.top = `${(100 * y) / size[1]}%`
    button.dataset.state = stateOf(mark)
    button.setAttribute('aria-description', SAID[stateOf(mark)])
    if (mark === chosen) told.textContent = `${spoken(mark)}: ${SAID[stateOf(mark)]}`
}

function choose(mark) {
    chosen = mark
    dots.forEach(({ button }, name) => (button.ariaPressed = String(name === mark.name)))
    hide.disabled = back.disabled = false
    show(mark)
}

function move(mark, place) {
    mark.place = place.map((number, axis) => Math.round(10 * Math.min(Math.max(number, 0), size[axis])) / 10)
    unsaid = mark
    show(mark)
}

function tell(mark) {
    unsaid = null
    trigger('input', 'place' in mark ? { name: mark.name, place: mark.place } : { name: mark.name })
}

const settle = () => unsaid && tell(unsaid)

function at(event) {
    const box = stage.getBoundingClientRect()
    return [((event.clientX - box.left) * size[0]) / box.width, ((event.clientY - box.top) * size[1]) / box.height]
}

function nearest([x, y]) {
    const far = ({ mark }) => Math.hypot(...[x, y].map((number, axis) => number - (mark.place ?? mark.found)[axis]))
    return [...dots.values()].reduce((best, other) => (far(other) < far(best) ? other : best))
}

stage.addEventListener('pointerdown', (event) => {
    if (!event.isPrimary || event.button) return
    dragged = null
    if (!event.target.closest('.dot')) return
    event.preventDefault() // no other focus, no selection
    const [x, y] = at(event)
    const { mark, button } = nearest([x, y])
    choose(mark)
    button.focus({ preventScroll: true })
    const [own_x, own_y] = mark.place ?? mark.found
    dragged = { mark, before: { ...mark }, grip: [own_x - x, own_y - y], from: [event.clientX, event.clientY], held: true }
    stage.setPointerCapture(event.pointerId)
})
stage.addEventListener('pointermove', (event) => {
    if (!dragged?.held) return
    const [x, y] = dragged.from
    dragged.begun ||= Math.hypot(event.clientX - x, event.clientY - y) > SLIP
    if (dragged.begun) move(dragged.mark, at(event).map((number, axis) => number + dragged.grip[axis]))
})
stage.addEventListener('pointerup', () => {
    if (dragged) dragged.held = false
    settle()
})
stage.addEventListener('pointercancel', () => {
    if (!dragged?.held) return
    unsaid = null
    delete dragged.mark.place
    show(Object.assign(dragged.mark, dragged.before))
    dragged = null
})
stage.addEventListener('click', (event) => {
    if (dragged || !chosen || event.target.closest('.dot')) return
    move(chosen, at(event))
    settle()
})
stage.addEventListener('focusin', (event) => choose(dots.get(event.target.dataset.name).mark))
stage.addEventListener('focusout', settle)
stage.addEventListener('keydown', (event) => {
    const step = STEPS[event.key]
    if (event.key === 'Delete' || event.key === 'Backspace') hide.click()
    if (!step || !chosen) return
    event.preventDefault()
    const pixels = (size[0] / stage.clientWidth) * (event.shiftKey ? FAR : 1)
    move(chosen, (chosen.place ?? chosen.found).map((number, axis) => number + pixels * step[axis]))
})
stage.addEventListener('keyup', settle)
hide.addEventListener('click', () => {
    chosen.place = null
    show(chosen)
    tell(chosen)
})
back.addEventListener('click', () => {
    delete chosen.place
    show(chosen)
    tell(chosen)
})
function enlarge(times) {
    zoom = Math.min(Math.max(times * zoom, 1), LARGEST)
    stage.style.setProperty('--zoom', zoom)
    const middle = (chosen && (chosen.place ?? chosen.found)) || size.map((side) => side / 2)
    const [x, y] = [stage.clientWidth, stage.clientHeight].map((length, axis) => (middle[axis] / size[axis]) * length)
    view.scrollTo(x - view.clientWidth / 2, y - view.clientHeight / 2)
}

larger.addEventListener('click', () => enlarge(1.5))
smaller.addEventListener('click', () => enlarge(1 / 1.5))
watch('value', draw)
draw()
