// Return the texts whose WCAG 2 contrast ratio is below `minimum`: [ratio, text, colour, background].
(minimum) => {
    const parsed = (colour) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
        const context = canvas.getContext('2d', { willReadFrequently: true })
        context.fillStyle = colour
        context.fillRect(0, 0, 1, 1)
        const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data
        return [r, g, b, a / 255]
    }
    const over = ([r, g, b, a], below) => [...[r, g, b].map((x, i) => a * x + (1 - a) * below[i]), 1]
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
        return 0.2126 * x + 0.7152 * y + 0.0722 * z
    }
    const ratio = (a, b) => {
        const [dark, bright] = [luminance(a), luminance(b)].sort((x, y) => x - y)
        return (bright + 0.05) / (dark + 0.05)
    }
    const behind = (element) => {
        if (!element) return [255, 255, 255, 1]
        return over(parsed(getComputedStyle(element).backgroundColor), behind(element.parentElement))
    }
    const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1)
    const texts = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const range = document.createRange()
        range.selectNodeContents(node)
        const box = range.getBoundingClientRect()
        const element = node.parentElement
        const visible = element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
        if (node.textContent.trim() && visible && box.width > 1 && box.height > 1) texts.push([node.textContent.trim(), element])
    }
    document.querySelectorAll('input:not([type=radio], [type=checkbox], [type=range]), textarea').forEach((field) => {
        if (field.checkVisibility() && field.value && field.getBoundingClientRect().width > 1) texts.push([field.value, field])
    })
    return texts
        .filter(([, element]) => !element.closest(':disabled, script, style'))
        .map(([text, element]) => {
            const [below, style] = [behind(element), getComputedStyle(element)]
            const [r, g, b, a] = parsed(style.color)
            const colour = over([r, g, b, a * opacity(element)], below)
            return [Number(ratio(colour, below).toFixed(2)), text.slice(0, 60), style.color, below.map(Math.round).join()]
        })
        .filter(([found]) => found < minimum)
}
