# Made by `python -m common.cli list --write`: a target for every method of every system.
.PHONY: binary-width binary-groups bnas-kim bnas-beihang cp-nas bats darts darts2 snas pc-darts gdas p-darts gold-nas darts-plus amended-darts fair-darts nasp merge-nas mile-nas da-nas detnas detnas-fpn nas-fpn efficientdet gan-compression pdnas graphnas evolution halving random dcnas hnas binary-width-smoke binary-groups-smoke bnas-kim-smoke bnas-beihang-smoke cp-nas-smoke bats-smoke darts-smoke darts2-smoke snas-smoke pc-darts-smoke gdas-smoke p-darts-smoke gold-nas-smoke darts-plus-smoke amended-darts-smoke fair-darts-smoke nasp-smoke merge-nas-smoke mile-nas-smoke da-nas-smoke detnas-smoke detnas-fpn-smoke nas-fpn-smoke efficientdet-smoke gan-compression-smoke pdnas-smoke graphnas-smoke evolution-smoke halving-smoke random-smoke dcnas-smoke hnas-smoke

binary-width: $(VENV)/.ready ## Binary widths, binary networks (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m binary.train binary-width $(OPTIONS)

binary-groups: $(VENV)/.ready ## Binary MobileNet, binary networks (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m binary.train binary-groups $(OPTIONS)

bnas-kim: $(VENV)/.ready ## BNAS (Kim et al.), binary networks (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m binary.train bnas-kim $(OPTIONS)

bnas-beihang: $(VENV)/.ready ## BNAS (Chen et al.), binary networks (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m binary.train bnas-beihang $(OPTIONS)

cp-nas: $(VENV)/.ready ## CP-NAS, binary networks (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m binary.train cp-nas $(OPTIONS)

bats: $(VENV)/.ready ## BATS, binary networks (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m binary.train bats $(OPTIONS)

darts: $(VENV)/.ready ## DARTS, first order, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train darts $(OPTIONS)

darts2: $(VENV)/.ready ## DARTS, second order, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train darts2 $(OPTIONS)

snas: $(VENV)/.ready ## SNAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train snas $(OPTIONS)

pc-darts: $(VENV)/.ready ## PC-DARTS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train pc-darts $(OPTIONS)

gdas: $(VENV)/.ready ## GDAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train gdas $(OPTIONS)

p-darts: $(VENV)/.ready ## P-DARTS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train p-darts $(OPTIONS)

gold-nas: $(VENV)/.ready ## GOLD-NAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train gold-nas $(OPTIONS)

darts-plus: $(VENV)/.ready ## DARTS+, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train darts-plus $(OPTIONS)

amended-darts: $(VENV)/.ready ## amended DARTS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train amended-darts $(OPTIONS)

fair-darts: $(VENV)/.ready ## FairDARTS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train fair-darts $(OPTIONS)

nasp: $(VENV)/.ready ## NASP, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train nasp $(OPTIONS)

merge-nas: $(VENV)/.ready ## MergeNAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train merge-nas $(OPTIONS)

mile-nas: $(VENV)/.ready ## MiLeNAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train mile-nas $(OPTIONS)

da-nas: $(VENV)/.ready ## DA-NAS, image classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m classification.train da-nas $(OPTIONS)

detnas: $(VENV)/.ready ## DetNAS, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train detnas $(OPTIONS)

detnas-fpn: $(VENV)/.ready ## DetNAS with NAS-FPN, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train detnas-fpn $(OPTIONS)

nas-fpn: $(VENV)/.ready ## NAS-FPN, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train nas-fpn $(OPTIONS)

efficientdet: $(VENV)/.ready ## EfficientDet, object detection (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m detection.train efficientdet $(OPTIONS)

gan-compression: $(VENV)/.ready ## GAN Compression, image-to-image translation (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m gan.train gan-compression $(OPTIONS)

pdnas: $(VENV)/.ready ## PDNAS, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train pdnas $(OPTIONS)

graphnas: $(VENV)/.ready ## GraphNAS, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train graphnas $(OPTIONS)

evolution: $(VENV)/.ready ## Aging evolution on graphs, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train evolution $(OPTIONS)

halving: $(VENV)/.ready ## Successive halving on graphs, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train halving $(OPTIONS)

random: $(VENV)/.ready ## Random search on graphs, node classification (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m graphs.train random $(OPTIONS)

dcnas: $(VENV)/.ready ## DCNAS, semantic segmentation (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m segmentation.train dcnas $(OPTIONS)

hnas: $(VENV)/.ready ## HNAS, super-resolution (RECIPE=small DATA=folder OUT=folder ARGS=...)
	@$(BIN)/python -m superres.train hnas $(OPTIONS)

binary-width-smoke binary-groups-smoke bnas-kim-smoke bnas-beihang-smoke cp-nas-smoke bats-smoke darts-smoke darts2-smoke snas-smoke pc-darts-smoke gdas-smoke p-darts-smoke gold-nas-smoke darts-plus-smoke amended-darts-smoke fair-darts-smoke nasp-smoke merge-nas-smoke mile-nas-smoke da-nas-smoke detnas-smoke detnas-fpn-smoke nas-fpn-smoke efficientdet-smoke gan-compression-smoke pdnas-smoke graphnas-smoke evolution-smoke halving-smoke random-smoke dcnas-smoke hnas-smoke: RECIPE = smoke
binary-width-smoke binary-groups-smoke bnas-kim-smoke bnas-beihang-smoke cp-nas-smoke bats-smoke darts-smoke darts2-smoke snas-smoke pc-darts-smoke gdas-smoke p-darts-smoke gold-nas-smoke darts-plus-smoke amended-darts-smoke fair-darts-smoke nasp-smoke merge-nas-smoke mile-nas-smoke da-nas-smoke detnas-smoke detnas-fpn-smoke nas-fpn-smoke efficientdet-smoke gan-compression-smoke pdnas-smoke graphnas-smoke evolution-smoke halving-smoke random-smoke dcnas-smoke hnas-smoke: %-smoke: %
