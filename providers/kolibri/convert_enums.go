package kolibri

import "sparki.app/integrations/providers/dutch"

// The tables of this file turn Kolibri's enum values into Dutch words. Each holds every value of
// the contract's enum of the named type (schema-facts.json); a test compares them.

// SaleCondition.
var saleConditions = map[string]string{
	"CostsBuyer": "k.k.", "FreeOnName": dutch.FreeOnName, "CostsSplit": "kosten gedeeld",
}

// RentCondition.
var rentConditions = map[string]string{
	"PricePerDay": "per dag", "PricePerWeek": "per week", "PricePerMonth": "per maand", "PricePerQuarter": "per kwartaal",
	"PricePerHalfYear": "per half jaar", "PricePerYear": "per jaar", "PricePerContract": "per contract",
}

// priceCode is what a PriceCode does to a price.
type priceCode struct {
	words string
	// insteadOfPrice: the words stand alone and the amount is not shown; otherwise they stand
	// before it.
	insteadOfPrice bool
}

var priceCodes = map[string]priceCode{
	"AskingPrice":     {},
	"FixedPrice":      {words: "Vaste prijs"},
	"HigherBudget":    {words: "Bieden vanaf"},
	"OnRequest":       {dutch.OnRequest, true},
	"InConsultation":  {"Prijs in overleg", true},
	"ToBeNegotiated":  {dutch.ToBeAgreedOn, true},
	"PublicAuction":   {"Openbare veiling", true},
	"AnyPlausibleBid": {"Elk aannemelijk bod", true},
	"ByTender":        {"Bij inschrijving", true},
}

// VatCondition.
var vatConditions = map[string]string{"Included": "incl. btw", "Excluded": "excl. btw"}

// UnitSize.
var unitSizes = map[string]string{"M2": dutch.SquareMetres, "Hectare": "hectare"}

// Acceptance.
var acceptances = map[string]string{"InConsultation": "in overleg", "PerDate": "per datum", "Directly": "direct"}

// Furnishing.
var furnishings = map[string]string{
	"Furnished": "gemeubileerd", "Upholstered": "gestoffeerd", "AsShell": "kaal", "OptionForFurnished": "meubilering mogelijk",
}

// RentSpecification.
var rentSpecifications = map[string]string{
	"ServiceCharges": "servicekosten", "Gas": "gas", "Water": "water", "Electricity": "elektriciteit",
	"Furnished": "meubilering", "Upholstered": "stoffering", "Internet": "internet", "Television": "televisie",
}

// LeaseTermUnit.
var leaseTermUnits = map[string]struct{ one, many string }{
	"Day": {"dag", "dagen"}, "Week": {"week", "weken"}, "Month": {"maand", "maanden"},
	"Quarter": {"kwartaal", "kwartalen"}, "Year": {"jaar", "jaar"},
}

// GroundOwnershipType.
var groundOwnerships = map[string]string{
	"OwnLand":                           "eigen grond",
	"LeaseholdWithoutPropertyAllowance": "erfpacht",
	"LeaseholdWithPropertyAllowance":    "erfpacht met recht van opstal",
}

// BuildingType.
var buildingTypes = map[string]string{"Existing": "bestaande bouw", "New": "nieuwbouw"}

// ListingType.
var listingTypes = map[string]string{
	"House": "woonhuis", "Apartment": "appartement", "Parking": "parkeergelegenheid", "Plot": "bouwgrond",
	"SummerCottage": "recreatiewoning", "Other": "overig", "ProductionHall": "productiehal", "OutdoorArea": "buitenterrein",
	"HotelRestaurantCafe": "horeca", "Office": "kantoorruimte", "Lot": "bouwkavel", "PracticeSpace": "praktijkruimte",
	"RetailSpace": "winkelruimte", "Warehouse": "opslagruimte", "WarehouseProduction": "bedrijfshal", "Services": "dienstverlening",
	"Garage": "garage", "ArableCompany": "akkerbouwbedrijf", "LooseSoil": "losse grond", "DairyFarmingCompany": "melkveebedrijf",
	"PoultryCompany": "pluimveebedrijf", "HorsesCompany": "paardenbedrijf", "ProductionRights": "productierechten",
	"Horticultural": "tuinbouwbedrijf", "PigHolding": "varkensbedrijf", "VealCalvesFarming": "vleeskalverbedrijf",
	"AgriculturalHouse": "agrarische woning", "CattleFarming": "rundveebedrijf", "BusinessSpace": "bedrijfsruimte",
	"Ammoniac": "ammoniakrechten", "AvebeShares": "Avebe-aandelen", "BeetQuota": "bietenquotum", "MilkQuota": "melkquotum",
	"PoultryRights": "pluimveerechten", "PaymentEntitlements": "betalingsrechten", "PigRights": "varkensrechten",
	"Leisure": "vrije tijd", "Investment": "belegging", "SocialProperty": "maatschappelijk vastgoed",
}

// TypePART.
var typeParts = map[string]string{
	"Apartment": "appartement", "BuildingGround": "bouwgrond", "Other": "overig", "Parking": "parkeergelegenheid",
	"SummerCottage": "recreatiewoning", "ResidentialBuilding": "woonhuis",
}

// ResidentialSubtypeOther.
var residentialSubtypes = map[string]string{
	"StoreRoom": "berging", "Berth": "ligplaats", "MobileHomePitch": "stacaravanstandplaats", "GypsyCartPitch": "woonwagenstandplaats",
	"ResidentialShopPremises": "woon-winkelpand", "LowerSection": "onderstuk", "StorageSpace": "opslagruimte",
	"ParkingSpace": "parkeerplaats", "Garage": "garage",
}

// ParkingType.
var parkingTypes = map[string]string{
	"Garage": "garage", "IndoorGarage": "inpandige garage", "ParkingCellar": "parkeerkelder", "ParkingSpace": "parkeerplaats",
}

// HouseSort.
var houseSorts = map[string]string{
	"SingleFamilyHouse": "eengezinswoning", "Mansion": "herenhuis", "Villa": "villa", "CountryHouse": "landhuis",
	"Bungalow": "bungalow", "ResidentialFarm": "woonboerderij", "CanalHouse": "grachtenpand", "HouseBoat": "woonboot",
	"MobileHome": "stacaravan", "GipsyCart": "woonwagen",
}

// HouseType.
var houseTypes = map[string]string{
	"DetachedHouse": "vrijstaande woning", "LinkedHouse": "geschakelde woning", "SemiDetachedHouseOneRoof": "2-onder-1-kapwoning",
	"RowHouseMiddle": "tussenwoning", "RowHouseCorner": "hoekwoning", "RowHouseEnd": "eindwoning",
	"SemiDetachedHouse": "halfvrijstaande woning", "SemiDetachedLinkedHouseOneRoof": "geschakelde 2-onder-1-kapwoning",
	"OffsetHouse": "verspringende woning",
}

// HouseCharacteristic.
var houseCharacteristics = map[string]string{
	"DikeHouse": "dijkwoning", "SplitLevelHouse": "split-levelwoning", "DriveInHouse": "drive-inwoning", "SemiBungalow": "semibungalow",
	"PatioHouse": "patiowoning", "PileHouse": "paalwoning", "CourtyardHouse": "hofjeswoning", "BusinessServiceHouse": "bedrijfswoning",
	"WaterHouse": "waterwoning", "WindWaterMill": "molen", "QuadrantHouse": "kwadrantwoning",
}

// ApartmentSort.
var apartmentSorts = map[string]string{
	"UpstairsApartment": "bovenwoning", "GroundFloorApartment": "benedenwoning", "Maisonette": "maisonnette", "GalleryFlat": "galerijflat",
	"PorticoFlat": "portiekflat", "UpstairsGroundFloorApartment": "beneden- en bovenwoning", "Penthouse": "penthouse",
	"PorchApartment": "portiekwoning", "StudentRoom": "studentenkamer", "DoubleGroundFloorApartment": "dubbele benedenwoning",
	"Mezzanine": "tussenverdieping", "ModernApartment": "modern appartement", "SovietStyleApartment": "appartement in Sovjetstijl",
	"ItalianYardApartment": "appartement aan een binnenhof",
}

// ApartmentCharacteristic. The names of Georgian building types stay as they are.
var apartmentCharacteristics = map[string]string{
	"ServiceFlat": "serviceflat", "CommonApartment": "appartement", "CorridorFlat": "corridorflat", "Beletage": "bel-etage",
	"Basement": "souterrain", "DoubleUpperHouse": "dubbel bovenhuis", "NurseryFlat": "verzorgingsflat", "Penthouse": "penthouse",
	"Duplex": "duplex", "Triplex": "triplex", "Other": "overig", "Kavlashvili": "Kavlashvili", "Lvovi": "Lvovi",
	"Khrushovi": "Khrushovi", "Tukhareli": "Tukhareli", "Chekhuri": "Chekhuri", "Kalakuri": "Kalakuri", "Moscow": "Moscow",
	"Nonstandard": "afwijkend",
}

// ConstructionPeriod.
var constructionPeriods = map[string]string{
	"Before1906": "voor 1906", "Between1906And1930": "1906–1930", "Between1931And1944": "1931–1944", "Between1945And1959": "1945–1959",
	"Between1960And1970": "1960–1970", "Between1971And1980": "1971–1980", "Between1981And1990": "1981–1990",
	"Between1991And2000": "1991–2000", "Between2001And2010": "2001–2010", "After2010": "na 2010",
}

// EnergyClass.
var energyClasses = map[string]string{
	"Aplusplusplusplusplus": "A+++++", "Aplusplusplusplus": "A++++", "Aplusplusplus": "A+++", "Aplusplus": "A++", "Aplus": "A+",
	"A": "A", "B": "B", "C": "C", "D": "D", "E": "E", "F": "F", "G": "G",
}

// HeatingMethod.
var heatingMethods = map[string]string{
	"Boiler": "cv-ketel", "CoalStove": "kolenkachel", "BlockHeating": "blokverwarming", "DistrictHeating": "stadsverwarming",
	"Hearth": "haard", "HotAirHeating": "heteluchtverwarming", "AirConditioning": "airconditioning", "GasStoves": "gaskachels",
	"Fireplace": "open haard", "FireplaceOption": "mogelijkheid voor open haard", "HeatedFloors": "vloerverwarming geheel",
	"PartialHeatedFloors": "vloerverwarming gedeeltelijk", "SolarPanels": "zonnepanelen", "NoHeating": "geen verwarming",
	"ElectricHeating": "elektrische verwarming", "WallHeating": "muurverwarming", "HeatPump": "warmtepomp",
	"HeatRecoveryInstallation": "warmteterugwininstallatie", "GeothermalEnergy": "aardwarmte", "WoodStove": "houtkachel",
	"GasStove": "gaskachel", "FreeStandingHeating": "vrijstaande verwarming", "AutomaticHeating": "automatische verwarming",
	"Stove": "kachel", "CombinedHeating": "gecombineerde verwarming", "SolidFuel": "vaste brandstof", "Ion": "ionenketel",
	"WaterHeater": "boiler", "AllBurner": "allesbrander", "PelletStove": "pelletkachel",
}

// HeatingWaterMethod.
var hotWaterMethods = map[string]string{
	"Boiler": "boiler", "CentralHeating": "cv-ketel", "WaterHeaterRental": "geiser huur", "WaterHeaterOwnership": "geiser eigendom",
	"GasBoilerRental": "gasboiler huur", "GasBoilerOwnership": "gasboiler eigendom", "ElectricBoilerRental": "elektrische boiler huur",
	"ElectricBoilerOwnership": "elektrische boiler eigendom", "SolarWaterHeater": "zonneboiler", "SolarPanels": "zonnecollectoren",
	"DistrictHeating": "stadsverwarming", "NoHeating": "geen warm water", "FlowThroughBoiler": "doorstroomboiler",
	"GeothermalHeat": "aardwarmte",
}

// EnergySource.
var energySources = map[string]string{"Gas": "gas", "Oil": "olie", "Electric": "elektrisch", "Pellets": "pellets"}

// Ownership.
var ownerships = map[string]string{"Property": "eigendom", "Rent": "huur", "Lease": "lease"}

// InsulationType.
var insulationTypes = map[string]string{
	"RoofInsulation": "dakisolatie", "WallInsulation": "muurisolatie", "FloorInsulation": "vloerisolatie",
	"FullyInsulated": "volledig geïsoleerd", "CavityWall": "spouwmuur", "AnchorlessCavityWall": "ankerloze spouwmuur",
	"EcoBuilding": "ecobouw", "DoubleGlazing": "dubbel glas", "PartialDoubleGlazing": "gedeeltelijk dubbel glas", "Sash": "voorzetramen",
	"LargelyDoubleGlazing": "grotendeels dubbel glas", "TripleGlazing": "triple glas", "CrackingSeal": "kierdichting", "HrGlass": "HR-glas",
}

// ResidentialFacility.
var residentialFacilities = map[string]string{
	"MechanicalVentilation": "mechanische ventilatie", "AlarmSystem": "alarminstallatie", "Shutters": "rolluiken", "TvCable": "tv-kabel",
	"OutdoorBlinds": "buitenzonwering", "Pool": "zwembad", "Elevator": "lift", "AirConditioning": "airconditioning",
	"Windmill": "windmolen", "SolarCollectors": "zonnecollectoren", "SatelliteDish": "satellietschotel", "Jacuzzi": "jacuzzi",
	"SteamCabin": "stoomcabine", "SmokeChannel": "rookkanaal", "SlidingDoors": "schuifpui", "FrenchBalcony": "Frans balkon",
	"RoofWindow": "dakraam", "Sauna": "sauna", "FiberOpticCable": "glasvezelkabel", "Internet": "internet", "Phone": "telefoon",
	"Conditioning": "luchtbehandeling", "SolarPanels": "zonnepanelen", "Cctv": "camerabewaking", "HomeAutomation": "domotica",
	"BalanceVentilation": "balansventilatie", "NaturalVentilation": "natuurlijke ventilatie",
}

// Peculiarity.
var peculiarities = map[string]string{
	"MonumentalBuilding": "monumentaal pand", "Monument": "monument", "Padded": "gestoffeerd",
	"PartiallyFurnished": "gedeeltelijk gemeubileerd", "PartiallyLeased": "gedeeltelijk verhuurd", "Furnished": "gemeubileerd",
	"DoubleOccupancyPossible": "dubbele bewoning mogelijk", "DoubleOccupancyAvailable": "dubbele bewoning aanwezig",
	"ProtectedTownOrVillageConservation": "beschermd stads- of dorpsgezicht", "AccessibleForTheElderly": "toegankelijk voor ouderen",
	"AccessibleToDisabledPeople": "toegankelijk voor mindervaliden", "NeedsRenovation": "kluswoning",
	"DemolitionHouse": "sloopwoning", "Heritage": "erfgoed",
}

// Condition.
var conditions = map[string]string{
	"Poor": "slecht", "PoorToModerate": "slecht tot matig", "Moderate": "matig", "ModerateToHabitable": "matig tot redelijk",
	"Habitable": "redelijk", "HabitableToGood": "redelijk tot goed", "Good": "goed", "GoodToExcellent": "goed tot uitstekend",
	"Excellent": "uitstekend",
}

// LocationPlace. LRTE and PRTE are abbreviations nobody explains.
var locationPlaces = map[string]string{
	"ForestEdge": "aan bosrand", "Waterside": "aan water", "Park": "aan park", "OnBusyStreet": "aan drukke weg",
	"OnQuietStreet": "aan rustige weg", "CentralCityCenter": "in centrum", "ResidentialArea": "in woonwijk",
	"UnobstructedView": "vrij uitzicht", "ShelteredLocation": "beschutte ligging", "OpenArea": "open ligging",
	"OutsideVillage": "buiten bebouwde kom", "OnWaterway": "aan vaarwater", "ForestedArea": "in bosrijke omgeving",
	"NearRailwayStation": "bij station", "Suburb": "in buitenwijk", "BusinessPark": "op bedrijventerrein", "Other": "overig",
	"LRTE": "LRTE", "HarborArea": "in havengebied", "IndustrialArea": "op industrieterrein", "OfficePark": "op kantorenpark",
	"PRTE": "PRTE", "ShoppingCenter": "in winkelcentrum", "Countryside": "landelijk gelegen", "NearHighway": "bij snelweg",
	"NearPublicTransport": "bij openbaar vervoer", "NearSchool": "bij school", "Seaside": "aan zee",
	"SecludedLocation": "afgelegen", "Standalone": "vrijstaand gelegen", "SubDivision": "in nieuwbouwwijk",
	"FurnitureBoulevard": "aan meubelboulevard", "IndoorShopping": "in overdekt winkelcentrum", "SeaView": "zeezicht",
}

// GardenType.
var gardenTypes = map[string]string{
	"BackGarden": "achtertuin", "FrontGarden": "voortuin", "SideGarden": "zijtuin", "SurroundingGarden": "tuin rondom",
	"PatioAtrium": "patio", "Place": "plaats", "SunTerrace": "zonneterras", "EnclosedYard": "besloten erf",
}

// Orientation.
var orientations = map[string]string{
	"North": "noorden", "NorthEast": "noordoosten", "East": "oosten", "SouthEast": "zuidoosten",
	"South": "zuiden", "SouthWest": "zuidwesten", "West": "westen", "NorthWest": "noordwesten",
}

// GarageType.
var garageTypes = map[string]string{
	"NoGarage": "geen garage", "AttachedStone": "aangebouwd steen", "AttachedWood": "aangebouwd hout", "DetachedStone": "vrijstaand steen",
	"DetachedWood": "vrijstaand hout", "Indoor": "inpandig", "GarageBox": "garagebox", "UndergroundParking": "parkeerkelder",
	"OptionForGarage": "garage mogelijk", "CarPort": "carport", "ParkingSpace": "parkeerplaats", "GarageWithCarPort": "garage met carport",
	"Garage": "garage", "ParkingFee": "betaald parkeren", "NoParking": "geen parkeerplaats", "FreeParking": "gratis parkeren",
}

// TypeOfParkingFacility.
var parkingFacilities = map[string]string{
	"PublicParking": "openbaar parkeren", "PaidParking": "betaald parkeren", "CarPark": "parkeergarage",
	"PermitParking": "parkeervergunning", "OnOwnTerrain": "op eigen terrein", "OnClosedGround": "op afgesloten terrein",
}
